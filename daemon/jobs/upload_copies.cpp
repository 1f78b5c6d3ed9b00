// Copies: in the Hub where it can do that, else of content that is brought here first.
#include "base/units.hpp"
#include "daemon/jobs/upload_work.hpp"

#include <fmt/format.h>

namespace wharf::jobs {

/// Copies within the branch are a line of the commit for large files. All others are brought into
/// the cache, if they are not there, and added like files.
Awaitable<> UploadWork::resolve_copies(std::string base) {
    for (auto& change : state_.changes) {
        if (change.kind != PushChange::Kind::copy || change.done || change.sent) {
            continue;
        }
        const bool is_within =
            (!change.from_repo || *change.from_repo == record_.order.repo) &&
            (!change.from_revision || *change.from_revision == record_.order.revision);
        if (is_within) {
            co_await copy_within(&change, base);
        }
        if (!change.sent) {
            co_await copy_content(&change);
        }
    }
}

Awaitable<> UploadWork::copy_within(PushChange* change, std::string base) {
    const hub::TreePtr tree =
        co_await context_.lookups.tree(record_.order.repo, base, record_.order.token, note_);
    const auto* source = tree->find(change->from_path);
    if (source == nullptr) {
        throw Error{ErrorKind::file_not_found,
                    fmt::format("'{}' is to be copied and is not there", change->from_path),
                    "name a file as the Hub lists it; folders are copied file by file"};
    }
    if (source->lfs_sha256.empty()) {
        co_return;
    }
    const auto* target = tree->find(change->path);
    change->mode = hub::UploadMode::lfs;
    change->oid = source->lfs_sha256;
    change->size = source->size;
    change->remote = target == nullptr ? std::string{} : target->etag();
    change->sent = true;
}

Awaitable<> UploadWork::copy_content(PushChange* change) {
    JobRecord wish;
    wish.id = record_.id;
    wish.priority = record_.priority;
    wish.order.uid = record_.order.uid;
    wish.order.repo = change->from_repo.value_or(record_.order.repo);
    wish.order.revision = change->from_revision.value_or(
        change->from_repo ? std::string{"main"} : record_.order.revision);
    wish.order.token = record_.order.token;
    wish.order.what =
        DownloadOrder{.ref_before = {},
                      .filter = {.files = {change->from_path}, .include = {}, .exclude = {}},
                      .force = false};
    const std::unique_ptr<Work> fetch = context_.fetch(wish);
    co_await fetch->run([] {});
    UniqueFd file =
        co_await context_.store.open_file(wish.order.repo, wish.order.commit, change->from_path);
    store::StagedFile taken =
        co_await context_.staged.take({.upload = order_.upload,
                                       .uid = record_.order.uid,
                                       .source = async::ForeignFd{std::move(file)},
                                       .path = change->path,
                                       .size = {}});
    co_await context_.staged.flush(order_.upload); // before anything says that it is there
    change->kind = PushChange::Kind::add;
    change->staged = std::move(taken.name);
    change->size = taken.size;
    change->hashes = std::move(taken.hashes);
    change->oid.clear(); // of when the source was another
    std::vector<PushChange> changed{*change};
    co_await save(std::move(changed));
}

} // namespace wharf::jobs
