// The files of a push: how the Hub wants them, what they hash to, and bringing the large ones to
// where it wants them. Staged files never change; those of an attached push are their caller's, so
// they are looked at again after each reading.
#include "base/digest.hpp"
#include "base/scope_exit.hpp"
#include "daemon/async/do_all.hpp"
#include "daemon/jobs/upload_work.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <ranges>
#include <unistd.h>

namespace wharf::jobs {

namespace {

/// A file is hashed in steps of this size, so that a cancelled push ends soon.
constexpr std::uint64_t hash_step = std::uint64_t{64} << 20;
constexpr std::size_t read_bytes = std::size_t{1} << 20;

constexpr std::size_t most_gitignore_bytes = 1 << 20;
constexpr std::size_t most_warnings = 20;

/// Reads until the buffer is full or the file ends.
std::size_t read_at(int fd, std::uint64_t offset, std::span<std::byte> buffer) {
    std::size_t have = 0;
    while (have < buffer.size()) {
        const auto count = ::pread(fd, buffer.data() + have, buffer.size() - have,
                                   static_cast<off_t>(offset + have));
        if (count < 0 && errno != EINTR) {
            throw system_error("reading a file that is pushed", errno);
        }
        if (count == 0) {
            break;
        }
        have += count > 0 ? static_cast<std::size_t>(count) : 0;
    }
    return have;
}

Error too_short(const std::string& path) {
    return Error{ErrorKind::invalid_request,
                 fmt::format("'{}' became shorter while it was pushed", path),
                 "push it again when nobody writes to it"};
}

/// Adds [begin, end) of the file to the hash.
void hash_some(BlobHasher& hasher, int fd, const std::string& path, std::uint64_t begin,
               std::uint64_t end) {
    std::vector<std::byte> buffer(std::min<std::uint64_t>(read_bytes, end - begin));
    while (begin < end) {
        const auto wanted = std::min<std::uint64_t>(buffer.size(), end - begin);
        const std::size_t count = read_at(fd, begin, std::span{buffer}.first(wanted));
        if (count < wanted) {
            throw too_short(path);
        }
        hasher.update(std::span{buffer}.first(count));
        begin += count;
    }
}

/// An etag of the form that this kind of file has: what BlobHasher goes by.
std::string form_of(hub::UploadMode mode) {
    return std::string(mode == hub::UploadMode::lfs ? 64 : 40, '0');
}

/// What an earlier run sent of an object, but for parts that are shorter than others.
std::uint64_t bytes_in(const std::optional<transfer::PartsSent>& earlier) noexcept {
    return earlier ? earlier->etags.size() * earlier->action.chunk_size : 0;
}

Awaitable<> ask_preupload(hub::UploadClient& hub, hub::CommitTarget target,
                          std::vector<hub::Candidate> candidates,
                          std::optional<std::string> git_ignore, bool for_pull_request,
                          std::vector<hub::Verdict>* verdicts) {
    *verdicts = co_await hub.preupload(std::move(target), std::move(candidates),
                                       std::move(git_ignore), for_pull_request);
}

} // namespace

/// Takes down how an object is sent.
class UploadWork::PartsRecord final : public transfer::UploadRecord {
  public:
    PartsRecord(UploadStore& uploads, std::uint64_t upload, std::string oid)
        : uploads_{uploads}, upload_{upload}, oid_{std::move(oid)} {}

    Awaitable<> action_given(hub::UploadAction action, bool keeps_parts) override {
        co_await uploads_.with_rows(
            [&](UploadRows& rows) { rows.save_action(upload_, oid_, action, keeps_parts); });
    }

    Awaitable<> part_sent(std::size_t part, std::string etag) override {
        co_await uploads_.with_rows(
            [&](UploadRows& rows) { rows.save_part(upload_, oid_, part, etag); });
    }

  private:
    UploadStore& uploads_;
    std::uint64_t upload_;
    std::string oid_;
};

Awaitable<std::shared_ptr<const UniqueFd>> UploadWork::open(const PushChange* change) {
    if (!change->staged.empty()) {
        UniqueFd file = co_await context_.staged.open(order_.upload, change->staged);
        co_return std::make_shared<const UniqueFd>(std::move(file));
    }
    const auto* attached = attached_(order_.upload, change->number);
    if (attached == nullptr) {
        throw Error{ErrorKind::cancelled, "whoever pushed the files has gone"};
    }
    co_return attached->file;
}

/// Of an attached file, after it was read.
void UploadWork::require_unchanged(const PushChange& change) const {
    if (!change.staged.empty()) {
        return;
    }
    const auto* attached = attached_(order_.upload, change.number);
    if (attached == nullptr || store::stamp_of(attached->file->value()) != attached->stamp) {
        throw Error{ErrorKind::invalid_request,
                    fmt::format("'{}' changed while it was pushed", change.path),
                    "push it again when nobody writes to it, or without --attached"};
    }
}

Awaitable<std::string> UploadWork::read_start(const PushChange* change, std::size_t most) {
    const std::shared_ptr<const UniqueFd> file = co_await open(change);
    std::string text(std::min<std::uint64_t>(most, change->size), '\0');
    const std::size_t count = co_await context_.pool.run(
        [&] { return read_at(file->value(), 0, std::as_writable_bytes(std::span{text})); });
    text.resize(count);
    co_return text;
}

/// Staged ones together: each hand-over to another thread takes longer than the reading.
Awaitable<std::vector<std::string>> UploadWork::read_samples(Batch some) {
    std::vector<std::string> samples;
    if (!order_.attached) {
        std::vector<std::string> names;
        for (const auto place : some) {
            names.push_back(state_.changes[place].staged);
        }
        samples = co_await context_.staged.read_starts(order_.upload, std::move(names),
                                                       hub::sample_bytes);
        co_return samples;
    }
    for (const auto place : some) {
        std::string sample = co_await read_start(&state_.changes[place], hub::sample_bytes);
        samples.push_back(std::move(sample));
    }
    co_return samples;
}

Awaitable<> UploadWork::ask_verdicts(Batch batch) {
    std::erase_if(batch, [this](std::size_t place) {
        return asked_[place] || !state_.changes[place].is_content();
    });
    for (std::size_t begin = 0; begin < batch.size(); begin += hub::candidates_per_request) {
        const auto end = std::min(begin + hub::candidates_per_request, batch.size());
        co_await ask_some_verdicts(Batch(batch.begin() + static_cast<std::ptrdiff_t>(begin),
                                         batch.begin() + static_cast<std::ptrdiff_t>(end)));
    }
}

Awaitable<> UploadWork::ask_some_verdicts(Batch some) {
    std::vector<std::string> samples = co_await read_samples(some);
    std::vector<hub::Candidate> candidates;
    for (std::size_t i = 0; i < some.size(); ++i) {
        const PushChange& change = state_.changes[some[i]];
        candidates.push_back(
            {.path = change.path, .size = change.size, .sample = std::move(samples[i])});
    }
    std::optional<std::string> git_ignore;
    const auto ignore = std::ranges::find_if(state_.changes, [](const PushChange& change) {
        return change.is_content() && change.path == ".gitignore";
    });
    if (ignore != state_.changes.end()) {
        git_ignore = co_await read_start(&*ignore, most_gitignore_bytes);
    }
    std::vector<hub::Verdict> verdicts;
    co_await ask([&, this](hub::UploadClient& hub) {
        return ask_preupload(hub, target(), candidates, git_ignore, to_pull_request(), &verdicts);
    });
    for (std::size_t i = 0; i < some.size(); ++i) {
        auto& change = state_.changes[some[i]];
        // An object without bytes cannot be sent; the official client does the same.
        const auto mode = change.size == 0 ? hub::UploadMode::regular : verdicts[i].mode;
        note_overwriting(change, verdicts[i]);
        if (change.mode && *change.mode != mode) {
            change.oid.clear();
            change.sent = false;
        }
        change.mode = mode;
        change.ignored = verdicts[i].ignored;
        change.remote = std::move(verdicts[i].oid);
        asked_[some[i]] = true;
    }
}

/// Somebody else changed the file after we had looked at it first: the push goes on top of that, as
/// it would have if it had come later, and says so.
void UploadWork::note_overwriting(const PushChange& change, const hub::Verdict& now) {
    if (!change.mode || change.remote == now.oid || now.oid == change.oid || now.oid.empty()) {
        return;
    }
    auto& warnings = order_.outcome.warnings;
    if (warnings.size() < most_warnings) {
        warnings.push_back(fmt::format(
            "'{}' was changed on the Hub while this push was under way; it is overwritten, and "
            "what it was is in the history",
            change.path));
    }
}

/// Hashes the batch's files, and sends the large ones that the Hub lacks: several at a time.
Awaitable<> UploadWork::bring_contents(const Batch* batch) {
    co_await async::do_all(
        fmt::format("files of job {}", record_.id), batch->size(), context_.files_at_once,
        [this, batch](std::size_t place) { return bring(&state_.changes[(*batch)[place]]); });
    co_await save(copies_of(*batch));
}

Awaitable<> UploadWork::bring(PushChange* change) {
    if (!change->is_content() || change->ignored || change->done) {
        co_return;
    }
    const auto mode = change->mode.value();
    if (change->oid.empty()) {
        change->oid = hash_of_length(change->hashes, form_of(mode).size());
    }
    const bool to_send = mode == hub::UploadMode::lfs && !change->sent;
    if (!change->oid.empty() && !to_send) {
        co_return;
    }
    const std::shared_ptr<const UniqueFd> file = co_await open(change);
    if (change->oid.empty()) {
        co_await hash(change, file);
    }
    if (to_send && !change->is_no_op()) {
        co_await send(change, file);
    }
}

Awaitable<> UploadWork::hash(PushChange* change, std::shared_ptr<const UniqueFd> file) {
    BlobHasher hasher{form_of(change->mode.value()), change->size};
    for (std::uint64_t begin = 0; begin < change->size; begin += hash_step) {
        const auto end = std::min(begin + hash_step, change->size);
        co_await context_.pool.run(
            [&] { hash_some(hasher, file->value(), change->path, begin, end); });
    }
    require_unchanged(*change);
    change->oid = hasher.finish();
}

Awaitable<> UploadWork::send(PushChange* change, std::shared_ptr<const UniqueFd> file) {
    const auto upload = order_.upload;
    std::optional<transfer::PartsSent> earlier = co_await context_.uploads.with_rows(
        [&](UploadRows& rows) { return rows.parts_of(upload, change->oid); });
    PartsRecord record{context_.uploads, upload, change->oid};
    transfer::ObjectOrder order;
    order.target = target();
    order.object = {.oid = change->oid, .size = change->size};
    order.for_pull_request = to_pull_request();
    order.file = std::move(file);
    order.claimant = {.uid = record_.order.uid, .priority = record_.priority};
    order.record = &record;
    order.note = std::make_shared<scheduling::WaitNote>();
    order.sent = std::make_shared<std::atomic<std::uint64_t>>(0);
    const InAir mark{
        .change = change, .sent = order.sent, .note = order.note, .before = bytes_in(earlier)};
    order.earlier = std::move(earlier);
    in_air_.push_back(&mark);
    {
        const ScopeExit gone{[this, &mark] {
            gained_ += mark.gained();
            std::erase(in_air_, &mark);
        }};
        try {
            co_await context_.objects.send(std::move(order));
        } catch (const Error& error) {
            throw error.with_context(fmt::format("pushing '{}'", change->path));
        }
    }
    require_unchanged(*change);
    change->sent = true;
    order_.outcome.bytes_sent += change->size;
    counted_.bytes_done += change->size;
    std::vector<PushChange> sent{*change};
    co_await save(std::move(sent));
}

} // namespace wharf::jobs
