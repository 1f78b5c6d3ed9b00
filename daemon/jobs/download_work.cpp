// One run: the gate → resolve() → sort_out() → require_room() → fetch_missing() → finish(). A run
// that was cancelled or failed leaves nothing behind but what the store holds; the next one begins
// again and finds it there.
//
// While files arrive, one of the tasks that fetch them puts all that have come into the snapshot in
// one go, again and again, and the others do not wait for their pointers. So many small files cost
// the store's thread a few calls, not one each.
#include "daemon/jobs/download_work.hpp"

#include "base/scope_exit.hpp"
#include "base/units.hpp"
#include "daemon/async/do_all.hpp"
#include "daemon/hub/hub_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace wharf::jobs {

namespace {

constexpr std::size_t most_files_shown = 8;

std::uint64_t bytes_of(const store::Entries& entries) noexcept {
    std::uint64_t sum = 0;
    for (const auto& entry : entries) {
        sum += entry.size;
    }
    return sum;
}

} // namespace

Awaitable<store::Entries> select_files(async::BlockingPool& pool, hub::TreePtr tree,
                                       Filter filter) {
    constexpr std::size_t few = 1'000; // compared in a millisecond or two
    if (tree->files.size() <= few || (filter.include.empty() && filter.exclude.empty())) {
        co_return select(*tree, filter).value();
    }
    store::Entries wanted = co_await pool.run([&] { return select(*tree, filter).value(); });
    co_return wanted;
}

std::uint64_t DownloadWork::InAir::done() const noexcept {
    return std::min(ticket->done(), entry->size);
}

std::uint64_t DownloadWork::InAir::gained() const noexcept {
    const auto now = done();
    return now > before ? now - before : 0;
}

DownloadWork::DownloadWork(const DownloadContext& context, JobRecord& record)
    : context_{context}, record_{record} {}

Awaitable<> DownloadWork::run(std::function<void()> changed) {
    const auto& order = record_.order;
    co_await context_.gate.require(order.uid, order.token, order.repo);
    co_await resolve(std::move(changed));
    const ScopeExit forget{[this] { // a job that waits must not hold lists
        missing_ = {};
        arrived_ = {};
        tree_.reset();
        charge_.reset();
    }};
    tree_ = co_await context_.lookups.tree(order.repo, order.commit, order.token, note_);
    co_await sort_out();
    co_await require_room();
    co_await fetch_missing();
    co_await finish();
}

Awaitable<> DownloadWork::resolve(std::function<void()> changed) {
    auto& order = record_.order;
    if (order.commit.empty()) {
        const transfer::Resolved found =
            co_await context_.lookups.commit_of(order.repo, order.revision, order.token, note_);
        if (found.stale) { // good enough for somebody who waits, not for one who does not
            throw Error{ErrorKind::network, found.why};
        }
        order.commit = found.commit;
    } else if (order.download().ref_before) {
        co_return;
    }
    const auto known = co_await context_.store.known_commit(order.repo, order.revision);
    order.download().ref_before = known.value_or("");
    changed();
}

Awaitable<> DownloadWork::sort_out() {
    const auto& order = record_.order;
    store::Entries wanted = co_await select_files(context_.pool, tree_, order.download().filter);
    charge_ = co_await context_.quotas.charge(order.uid, order.repo, access::blob_sizes(wanted));
    if (order.download().force) {
        missing_ = in_tree(wanted);
        count(wanted, wanted);
    } else {
        store::BroughtIn left = co_await context_.store.bring_in(order.repo, order.commit, wanted);
        missing_ = in_tree(left.missing);
        auto lacking = std::move(left.missing);
        lacking.insert(lacking.end(), left.unverified.begin(), left.unverified.end());
        count(wanted, lacking);
        co_await check_unverified(std::move(left.unverified));
    }
}

/// Blobs that another program put there become ours when their bytes are right.
Awaitable<> DownloadWork::check_unverified(store::Entries unverified) {
    const auto& order = record_.order;
    for (auto& entry : unverified) {
        note_->reason = fmt::format("checking {}, which another program put there", entry.path);
        const ScopeExit quiet{[this] { note_->reason.clear(); }};
        const bool right = co_await context_.store.verify(order.repo, entry);
        if (right) {
            store::Entries one{entry};
            const store::BroughtIn left =
                co_await context_.store.bring_in(order.repo, order.commit, std::move(one));
            if (left.missing.empty() && left.unverified.empty()) {
                ++counted_.files_done;
                counted_.bytes_done += entry.size;
                continue;
            }
        }
        missing_.push_back(tree_->find(entry.path));
    }
}

DownloadWork::Wanted DownloadWork::in_tree(const store::Entries& entries) const {
    Wanted found;
    found.reserve(entries.size());
    for (const auto& entry : entries) {
        found.push_back(tree_->find(entry.path));
    }
    return found;
}

void DownloadWork::count(const store::Entries& wanted, const store::Entries& lacking) {
    counted_.files_total = wanted.size();
    counted_.bytes_total = bytes_of(wanted);
    counted_.files_done = wanted.size() - lacking.size();
    counted_.bytes_done = counted_.bytes_total - bytes_of(lacking);
}

/// A job that cannot fit as a whole shall not fill the disk first. Two that fit one at a time only
/// both begin; then the store's reservations stop one of them.
Awaitable<> DownloadWork::require_room() {
    if (context_.room == nullptr || missing_.empty()) {
        co_return;
    }
    lacked_ = co_await still_needed();
    bool fits = co_await has_room();
    if (!fits) {
        co_await context_.room->make(lacked_);
        lacked_ = co_await still_needed(); // unfinished files of our own may be gone, too
        fits = co_await has_room();
    }
    if (!fits) {
        const std::uint64_t available = co_await context_.room->available();
        throw Error{ErrorKind::no_space,
                    fmt::format("{} needs {}, {} are free in the cache", record_.order.repo.name,
                                format_size(lacked_), format_size(available)),
                    "free some space on the cache's disk, or ask for fewer files"};
    }
}

Awaitable<std::uint64_t> DownloadWork::still_needed() {
    std::unordered_set<std::string_view> counted; // the same content may have many paths
    std::vector<std::string> etags;
    std::uint64_t bytes = 0;
    for (const auto* entry : missing_) {
        if (counted.insert(entry->etag()).second) {
            etags.push_back(entry->etag());
            bytes += entry->size;
        }
    }
    const std::uint64_t reserved = co_await context_.room->reserved(std::move(etags));
    co_return bytes - std::min(bytes, reserved);
}

Awaitable<bool> DownloadWork::has_room() {
    if (context_.room == nullptr) {
        co_return true;
    }
    const std::uint64_t available = co_await context_.room->available();
    co_return available >= lacked_;
}

Awaitable<> DownloadWork::fetch_missing() {
    co_await async::do_all(fmt::format("files of job {}", record_.id), missing_.size(),
                           context_.files_at_once,
                           [this](std::size_t place) { return fetch(*missing_[place]); });
}

Awaitable<> DownloadWork::fetch(const hub::TreeEntry& entry) {
    const auto& order = record_.order;
    hub::FileSource source{order.repo, order.commit, entry.path, order.token};
    const scheduling::Claimant claimant{.uid = order.uid, .priority = record_.priority};
    const auto ticket =
        context_.flights.join(std::move(source), entry, order.download().force, claimant);
    const InAir mark{.entry = &entry, .ticket = ticket.get(), .before = ticket->done()};
    in_air_.push_back(&mark);
    {
        const ScopeExit gone{[this, &mark] {
            gained_ += mark.gained();
            std::erase(in_air_, &mark);
        }};
        co_await ticket->landed();
    }
    counted_.bytes_done += entry.size;
    arrived_.push_back(entry);
    co_await place_arrived();
}

/// Whoever is at it takes what arrives meanwhile along: many small files are few looks at the disk.
Awaitable<> DownloadWork::place_arrived() {
    if (placing_) {
        co_return;
    }
    placing_ = true;
    const ScopeExit over{[this] { placing_ = false; }};
    while (!arrived_.empty()) {
        co_await place(std::exchange(arrived_, {}));
    }
}

Awaitable<> DownloadWork::place(store::Entries arrived) {
    const auto& order = record_.order;
    const auto files = arrived.size();
    const store::BroughtIn left =
        co_await context_.store.bring_in(order.repo, order.commit, std::move(arrived));
    for (const auto* vanished : {&left.missing, &left.unverified}) {
        if (!vanished->empty()) {
            throw Error{ErrorKind::storage,
                        fmt::format("{} vanished from the cache right after it arrived",
                                    vanished->front().path),
                        "another program cleans up the cache at this moment; try again"};
        }
    }
    counted_.files_done += files;
}

/// Makes the snapshot durable, and points the ref at it unless others moved the ref meanwhile: a
/// job that took days must not take a branch back to where it was.
Awaitable<> DownloadWork::finish() {
    const auto& order = record_.order;
    const auto known = co_await context_.store.known_commit(order.repo, order.revision);
    const bool was_moved = known && *known != order.download().ref_before;
    co_await context_.store.finish_snapshot(order.repo, order.commit,
                                            was_moved ? order.commit : order.revision);
    if (record_.detached) { // what somebody waits for is taken down when it is handed to him
        context_.audit.record(
            {.action = access::AuditEvent::Action::download,
             .uid = order.uid,
             .repo = hub::describe(order.repo),
             .detail = fmt::format("{} at {}: job {}", order.revision, order.commit, record_.id),
             .result = "ok",
             .restricted = !context_.gate.is_public(order.repo)});
    }
}

Progress DownloadWork::progress() const {
    Progress now{.counts = counted_, .reason = note_->reason, .in_air = {}};
    for (const auto* file : in_air_) {
        now.counts.bytes_done += file->done();
        if (now.in_air.size() < most_files_shown) {
            now.in_air.push_back({file->entry->path, file->done(), file->entry->size});
        }
    }
    if (now.reason.empty() && is_held_up()) {
        now.reason = in_air_.front()->ticket->reason();
    }
    return now;
}

std::uint64_t DownloadWork::gained() const noexcept {
    std::uint64_t sum = gained_;
    for (const auto* file : in_air_) {
        sum += file->gained();
    }
    return sum;
}

bool DownloadWork::is_held_up() const {
    const bool all_wait = !in_air_.empty() && std::ranges::all_of(in_air_, [](const InAir* file) {
        return !file->ticket->reason().empty();
    });
    return all_wait || !note_->reason.empty();
}

void DownloadWork::priority_changed() {
    for (const auto* file : in_air_) {
        file->ticket->set_priority(record_.priority);
    }
}

} // namespace wharf::jobs
