#include "daemon/jobs/uploads.hpp"

#include "base/digest.hpp"
#include "base/scope_exit.hpp"
#include "base/units.hpp"
#include "daemon/async/do_all.hpp"
#include "daemon/hub/hub_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace wharf::jobs {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t most_drafts_of_account = 16;

/// The Hub takes no commit without a title.
constexpr std::string_view default_summary = "Upload with wharf";

bool is_blank(std::string_view text) noexcept {
    return text.find_first_not_of(" \t") == std::string_view::npos;
}

/// A change is about 400 bytes in memory while its push runs.
constexpr std::int64_t most_changes = 250'000;
constexpr std::size_t most_attached = 4'000; ///< descriptors stay open
constexpr std::size_t taken_at_once = 8;

Error no_such_upload(std::uint64_t upload) {
    return Error{ErrorKind::job_not_found, fmt::format("there is no upload {}", upload),
                 "it was submitted, given up, or dropped after ten minutes without a call"};
}

/// What a path in a commit may be: what we would take from a listing, and the official clients
/// send.
void require_path(const std::string& path) {
    const auto checked = hub::check_path(path);
    if (!checked) {
        throw Error{ErrorKind::invalid_request, checked.error().message(), "rename the file"};
    }
    constexpr std::string_view internal = ".cache/huggingface";
    if (path == internal || path.starts_with(".cache/huggingface/")) {
        throw Error{ErrorKind::invalid_request,
                    fmt::format("'{}' belongs to the client's own files", path),
                    "leave it out: nothing in .cache/huggingface is pushed"};
    }
}

} // namespace

/// One call's use of a draft. A draft whose use did not end well is dropped.
class Uploads::Use {
  public:
    Use(Uploads& owner, std::uint64_t upload, Draft& draft)
        : owner_{owner}, upload_{upload}, draft_{draft} {
        if (draft.busy) {
            throw Error{ErrorKind::invalid_request,
                        fmt::format("another call is at work on upload {}", upload),
                        "wait for its answer"};
        }
        draft.busy = true;
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() {
        draft_.busy = false;
        draft_.heard = Clock::now();
        if (doomed_) {
            owner_.remove_soon(upload_);
        }
        if (!owner_.kept_.contains(upload_)) { // also when its job could not be written down
            owner_.drafts_.erase(upload_);
        }
    }

    void doom() noexcept { doomed_ = true; }
    void spare() noexcept { doomed_ = false; }

  private:
    Uploads& owner_;
    std::uint64_t upload_;
    Draft& draft_;
    bool doomed_ = false;
};

Uploads::Uploads(UploadContext context, JobTable& table, JobStore& jobs)
    : context_{std::move(context)}, table_{table}, jobs_{jobs},
      find_attached_{
          [this](std::uint64_t upload, std::int64_t number) { return attached(upload, number); }},
      house_{context_.executor} {}

Uploads::~Uploads() = default;

void Uploads::start() {
    const auto in_use = jobs_.uploads_at_start();
    const std::set<std::uint64_t> wanted{in_use.begin(), in_use.end()};
    for (const auto& known : context_.uploads.all()) {
        kept_[known.id] = {.uid = known.uid, .bytes = known.staged_bytes};
        if (!wanted.contains(known.id)) {
            remove_soon(known.id);
        }
    }
    house_.spawn("uploads", keep_house(in_use));
}

Awaitable<std::uint64_t> Uploads::begin(UploadRequest request) {
    if (request.token.empty()) {
        throw Error{ErrorKind::unauthorized, "pushing needs a token that may write",
                    "give one with the call, or store it: 'wharf auth login'"};
    }
    if (is_commit_id(request.revision)) {
        throw Error{ErrorKind::invalid_request,
                    fmt::format("'{}' is a commit, and pushes go to a branch", request.revision),
                    "name the branch; the commit it must be at is the parent commit"};
    }
    const auto uid = request.uid;
    while (!ready_) {
        co_await ready_event_.wait();
    }
    auto message =
        split_message(std::move(request.commit.summary), std::move(request.commit.description));
    request.commit.summary =
        is_blank(message.summary) ? std::string{default_summary} : std::move(message.summary);
    request.commit.description = std::move(message.description);
    require_few_drafts(uid);
    const std::uint64_t upload =
        co_await context_.uploads.with_rows([uid](UploadRows& rows) { return rows.create(uid); });
    request.commit.upload = upload;
    kept_[upload] = {.uid = uid, .bytes = 0};
    drafts_[upload].request = std::move(request);
    co_return upload;
}

void Uploads::require_few_drafts(uid_t uid) const {
    const auto count = std::ranges::count_if(
        drafts_, [uid](const auto& entry) { return entry.second.request.uid == uid; });
    if (static_cast<std::size_t>(count) >= most_drafts_of_account) {
        throw Error{ErrorKind::quota,
                    fmt::format("this account has {} uploads that are not submitted", count),
                    "submit them, or give them up"};
    }
}

Uploads::Draft& Uploads::find(uid_t uid, std::uint64_t upload) {
    const auto found = drafts_.find(upload);
    if (found == drafts_.end() || found->second.request.uid != uid) {
        throw no_such_upload(upload);
    }
    return found->second;
}

void Uploads::check(const Draft& draft, const OfferedChanges& changes) const {
    std::set<std::string_view> seen;
    const auto check_new = [&](const std::string& path) {
        require_path(path);
        if (draft.paths.contains(path) || !seen.insert(path).second) {
            throw Error{ErrorKind::invalid_request, fmt::format("'{}' is added twice", path),
                        "name each path once"};
        }
    };
    std::ranges::for_each(changes.files, check_new, &OfferedFile::path);
    std::ranges::for_each(changes.contents, check_new, &OfferedContent::path);
    std::ranges::for_each(changes.copies, check_new, &PushedCopy::path);
    std::ranges::for_each(changes.copies, require_path, &PushedCopy::from_path);
    std::ranges::for_each(changes.deleted_files, require_path);
    std::ranges::for_each(changes.deleted_folders, require_path);
    if (!changes.below.empty()) {
        require_path(changes.below);
    }
    check_filter({.files = {}, .include = changes.delete_patterns, .exclude = {}}).value();
    const auto more = changes.files.size() + changes.contents.size() + changes.copies.size() +
                      changes.deleted_files.size() + changes.deleted_folders.size() +
                      changes.delete_patterns.size();
    if (unsubmitted_changes(draft.request.uid) + static_cast<std::int64_t>(more) > most_changes) {
        throw Error{ErrorKind::invalid_request,
                    fmt::format("uploads that are not submitted have at most {} changes together",
                                most_changes),
                    "push folder by folder"};
    }
}

std::int64_t Uploads::unsubmitted_changes(uid_t uid) const {
    std::int64_t sum = 0;
    for (const auto& [upload, draft] : drafts_) {
        sum += draft.request.uid == uid ? draft.changes : 0;
    }
    return sum;
}

/// Their descriptors stay open, and a process has only so many.
void Uploads::require_few_attached(uid_t uid) const {
    std::size_t sum = 0;
    for (const auto& [upload, files] : attached_) {
        const auto owner = kept_.find(upload);
        sum += owner != kept_.end() && owner->second.uid == uid ? files.size() : 0;
    }
    if (sum > most_attached) {
        throw Error{ErrorKind::quota,
                    fmt::format("an account's attached pushes have at most {} files together",
                                most_attached),
                    "push without --attached: the files are staged then"};
    }
}

/// Files and contents first, in their order; without what is found out by taking them.
std::vector<PushChange> Uploads::listed(const OfferedChanges& offered) const {
    using Kind = PushChange::Kind;
    std::vector<PushChange> changes;
    const auto add = [&changes](Kind kind, const std::string& path) -> PushChange& {
        PushChange change;
        change.kind = kind;
        change.path = path;
        changes.push_back(std::move(change));
        return changes.back();
    };
    for (const auto& file : offered.files) {
        add(Kind::add, file.path);
    }
    for (const auto& content : offered.contents) {
        add(Kind::add, content.path);
    }
    for (const auto& copy : offered.copies) {
        auto& change = add(Kind::copy, copy.path);
        change.from_path = copy.from_path;
        change.from_repo = copy.from_repo;
        change.from_revision = copy.from_revision;
    }
    for (const auto& path : offered.deleted_files) {
        add(Kind::delete_file, path);
    }
    for (const auto& path : offered.deleted_folders) {
        add(Kind::delete_folder, path);
    }
    for (const auto& pattern : offered.delete_patterns) {
        add(Kind::delete_pattern, pattern).below = offered.below;
    }
    return changes;
}

Awaitable<Uploads::Added> Uploads::add(uid_t uid, std::uint64_t upload, OfferedChanges offered) {
    Draft& draft = find(uid, upload);
    Use use{*this, upload, draft};
    check(draft, offered);
    require_quota(uid, 0);
    use.doom(); // until all is taken
    std::vector<PushChange> changes = listed(offered);
    const auto first = draft.changes;
    for (std::size_t i = 0; i < changes.size(); ++i) {
        changes[i].number = first + static_cast<std::int64_t>(i);
    }
    co_await async::do_all("taking files of an upload",
                           offered.files.size() + offered.contents.size(), taken_at_once,
                           [&, this](std::size_t place) {
                               return take_one(upload, &draft, &offered, &changes[place], place);
                           });
    // Here and not only in submit(), which is to be short however much was added.
    co_await context_.staged.flush(upload);
    co_await context_.uploads.with_rows([&](UploadRows& rows) { rows.add(upload, changes); });
    draft.changes += static_cast<std::int64_t>(changes.size());
    for (auto& change : changes) {
        draft.added.files += change.is_content() ? 1 : 0;
        draft.added.bytes += change.size;
        if (!change.is_deletion()) {
            draft.paths.insert(std::move(change.path));
        }
    }
    use.spare();
    co_return draft.added;
}

/// Takes one of the files and contents. Requires: what it is given lives until it returns.
Awaitable<> Uploads::take_one(std::uint64_t upload, Draft* draft, OfferedChanges* offered,
                              PushChange* change, std::size_t place) {
    const auto uid = draft->request.uid;
    auto& files = offered->files;
    if (place < files.size() && draft->request.commit.attached) {
        co_await attach_one(upload, uid, &files[place], change);
        co_return;
    }
    store::StagedFile taken;
    if (place < files.size()) {
        auto& file = files[place];
        taken = co_await context_.staged.take({.upload = upload,
                                               .uid = uid,
                                               .source = std::move(file.source),
                                               .path = file.path,
                                               .size = file.size,
                                               .most = staging_left(uid)});
    } else {
        auto& content = offered->contents[place - files.size()];
        taken = co_await context_.staged.take_bytes(upload, std::move(content.content));
    }
    change->staged = std::move(taken.name);
    change->size = taken.size;
    change->hashes = std::move(taken.hashes);
    draft->added.shared += taken.shares_blocks ? taken.size : 0;
    kept_[upload].bytes += taken.size;
    require_quota(uid, 0);
}

Awaitable<> Uploads::attach_one(std::uint64_t upload, uid_t uid, OfferedFile* file,
                                PushChange* change) {
    store::AttachedFile attached =
        co_await context_.staged.attach({.upload = upload,
                                         .uid = uid,
                                         .source = std::move(file->source),
                                         .path = file->path,
                                         .size = file->size});
    change->size = attached.size;
    attached_[upload].emplace(change->number, std::move(attached));
    require_few_attached(uid);
}

void Uploads::require_quota(uid_t uid, std::uint64_t more) const {
    const auto limit = context_.quotas.limits_of(uid).staging;
    const auto staged = staged_bytes(uid) + more;
    if (limit && staged > *limit) {
        throw Error{ErrorKind::quota,
                    fmt::format("this account has {} of files that wait to be pushed, and may "
                                "have {}",
                                format_size(staged), format_size(*limit)),
                    "wait until pushes are done, or cancel some: 'wharf jobs ls'"};
    }
}

std::set<uid_t> Uploads::accounts() const {
    std::set<uid_t> accounts;
    for (const auto& [upload, kept] : kept_) {
        if (kept.bytes > 0) {
            accounts.insert(kept.uid);
        }
    }
    return accounts;
}

std::optional<std::uint64_t> Uploads::staging_left(uid_t uid) const {
    const auto limit = context_.quotas.limits_of(uid).staging;
    return limit ? std::optional{*limit - std::min(*limit, staged_bytes(uid))} : std::nullopt;
}

std::uint64_t Uploads::staged_bytes(uid_t uid) const {
    std::uint64_t sum = 0;
    for (const auto& [upload, kept] : kept_) {
        sum += kept.uid == uid ? kept.bytes : 0;
    }
    return sum;
}

bool Uploads::is_attached(uid_t uid, std::uint64_t upload) {
    return find(uid, upload).request.commit.attached;
}

Awaitable<std::unique_ptr<Watch>> Uploads::submit(uid_t uid, std::uint64_t upload) {
    Draft& draft = find(uid, upload);
    std::unique_ptr<Watch> watch;
    {
        const Use use{*this, upload, draft};
        if (draft.changes == 0) {
            throw Error{ErrorKind::invalid_request, "nothing is to be pushed",
                        "add files, or name what is to be deleted"};
        }
        const auto& request = draft.request;
        if (!request.commit.attached) {
            co_await context_.staged.flush(upload);
            co_await context_.uploads.with_rows([](UploadRows& rows) { rows.sync(); });
        }
        Order order{.uid = uid,
                    .repo = request.repo,
                    .revision = request.revision,
                    .commit = {},
                    .token = request.token,
                    .what = request.commit};
        watch = co_await table_.push(std::move(order), request.priority);
    }
    drafts_.erase(upload);
    co_return watch;
}

Awaitable<> Uploads::discard(uid_t uid, std::uint64_t upload) {
    {
        Use use{*this, upload, find(uid, upload)};
        use.doom();
    }
    co_return;
}

std::unique_ptr<Work> Uploads::work_for(JobRecord& record) {
    return std::make_unique<UploadWork>(context_, find_attached_, large_pushes_, record);
}

const store::AttachedFile* Uploads::attached(std::uint64_t upload, std::int64_t number) const {
    const auto files = attached_.find(upload);
    if (files == attached_.end()) {
        return nullptr;
    }
    const auto found = files->second.find(number);
    return found == files->second.end() ? nullptr : &found->second;
}

} // namespace wharf::jobs
