#include "daemon/access/quota.hpp"

#include "base/log.hpp"
#include "base/scope_exit.hpp"
#include "base/units.hpp"

#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace wharf::access {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

/// How much of what was handed out is remembered, to write nothing for it again: twice as much at
/// most, some 4 MB.
constexpr std::size_t most_recent = 50'000;

/// Blobs that may wait to be written, about 50 MB. What is beyond is taken down the next time.
constexpr std::size_t most_waiting = 1'000'000;

constexpr std::size_t blobs_at_once = 1'000;
constexpr auto first_look = 10min;
constexpr auto between_looks = 24h;
constexpr auto between_looks_of_account = 1min;

std::size_t mix(std::size_t seed, std::size_t value) noexcept {
    return (seed ^ value) * 0x9e3779b97f4a7c15 + (seed >> 29); // 2^64 / golden ratio
}

std::size_t fingerprint_of(uid_t uid, const hub::RepoId& repo,
                           std::span<const hub::TreeEntry> files) {
    const std::hash<std::string_view> hash;
    auto print = mix(mix(uid, static_cast<std::size_t>(repo.type)), hash(repo.name));
    for (const auto& file : files) {
        print = mix(print, hash(file.etag()));
    }
    return print;
}

Error over_quota(std::uint64_t limit, const Ledger::Outcome& outcome, const hub::RepoId& repo) {
    return Error{ErrorKind::quota,
                 fmt::format("your quota is {}, {} are attributed to you, {} needs {} more",
                             format_size(limit), format_size(outcome.used), repo.name,
                             format_size(outcome.needed)),
                 "'wharf quota' shows what counts, 'wharf quota release REPO' gives up your share "
                 "of a repo; or ask for fewer files"};
}

} // namespace

Charge::Charge(std::multiset<Asked>& expected, Asked asked)
    : expected_{expected}, place_{expected.insert(std::move(asked))} {}

Charge::~Charge() {
    expected_.erase(place_);
}

Quotas::Quotas(QuotaContext context, QuotaRules rules)
    : context_{std::move(context)}, rules_{std::move(rules)},
      ledger_{open_ledger(context_.database)}, writer_{context_.executor},
      house_{context_.executor} {}

Quotas::~Quotas() = default;

void Quotas::start() {
    house_.spawn("blobs that are gone", look_daily());
}

QuotaLimits Quotas::limits_of(uid_t uid) {
    return limits_for(rules_, context_.accounts.known(uid), context_.owner);
}

Awaitable<std::unique_ptr<Charge>> Quotas::charge(uid_t uid, hub::RepoId repo, BlobSizes blobs) {
    const Asked asked{uid, repo};
    auto charge = std::make_unique<Charge>(expected_, asked);
    const Account account = co_await context_.accounts.find(uid);
    const auto limit = limits_for(rules_, account, context_.owner).bytes;
    if (!limit) {
        enqueue({asked, std::move(blobs)});
        co_return charge;
    }
    Ledger::Outcome outcome;
    try {
        outcome = co_await disk_.run([&] { return ledger_->carry(asked, blobs, limit); });
        if (!outcome.fits && may_look_again(uid)) {
            co_await forget_gone(uid);
            outcome = co_await disk_.run([&] { return ledger_->carry(asked, blobs, limit); });
        }
    } catch (const Error& error) {
        complain(error);
    }
    if (!outcome.fits) {
        throw over_quota(*limit, outcome, repo);
    }
    co_return charge;
}

void Quotas::attribute(uid_t uid, const hub::RepoId& repo, std::span<const hub::TreeEntry> files) {
    const auto fingerprint = fingerprint_of(uid, repo, files);
    if (!is_recent(fingerprint) && waiting_blobs_ + files.size() <= most_waiting) {
        remember(fingerprint);
        enqueue({{uid, repo}, blob_sizes(files)});
    }
}

bool Quotas::is_recent(std::size_t fingerprint) const {
    return recent_.contains(fingerprint) || earlier_.contains(fingerprint);
}

void Quotas::remember(std::size_t fingerprint) {
    if (recent_.size() >= most_recent) {
        earlier_ = std::exchange(recent_, {});
    }
    recent_.insert(fingerprint);
}

void Quotas::forget_recent() {
    recent_.clear();
    earlier_.clear();
}

void Quotas::enqueue(HandedOut handed_out) {
    waiting_blobs_ += handed_out.blobs.size();
    waiting_.push_back(std::move(handed_out));
    if (!is_writing_) {
        is_writing_ = true;
        writer_.spawn("books of the quotas", write_all());
    }
}

Awaitable<> Quotas::write_all() {
    const ScopeExit over{[this] {
        is_writing_ = false;
        waiting_blobs_ = 0;
    }};
    while (!waiting_.empty()) {
        const auto batch = std::exchange(waiting_, {});
        waiting_blobs_ = 0;
        try {
            co_await disk_.run([&] {
                for (const auto& [asked, blobs] : batch) {
                    ledger_->carry(asked, blobs, std::nullopt);
                }
            });
        } catch (const Error& error) {
            complain(error);
            forget_recent(); // so the next answers put it down again
        }
    }
}

Awaitable<std::uint64_t> Quotas::release(uid_t uid, hub::RepoId repo) {
    const Asked asked{uid, std::move(repo)};
    std::erase_if(waiting_, [&asked](const HandedOut& each) { return each.asked == asked; });
    const std::uint64_t freed = co_await disk_.run([&] { return ledger_->release(asked); });
    forget_recent();
    co_return freed;
}

Awaitable<std::uint64_t> Quotas::usage(uid_t uid) {
    return disk_.run([this, uid] { return ledger_->used_by(uid); });
}

Awaitable<std::vector<std::pair<uid_t, std::uint64_t>>> Quotas::accounts() {
    return disk_.run([this] { return ledger_->accounts(); });
}

Awaitable<std::vector<std::pair<hub::RepoId, std::uint64_t>>> Quotas::repos_of(uid_t uid,
                                                                               std::size_t most) {
    return disk_.run([this, uid, most] { return ledger_->repos_of(uid, most); });
}

Awaitable<> Quotas::forget_gone(std::optional<uid_t> uid) {
    std::int64_t last = 0;
    while (context_.present) {
        const std::vector<Ledger::Numbered> page =
            co_await disk_.run([&] { return ledger_->blobs_after(last, uid, blobs_at_once); });
        if (page.empty()) {
            co_return;
        }
        last = page.back().first;
        std::vector<std::string> etags;
        for (const auto& [number, etag] : page) {
            etags.push_back(etag);
        }
        std::set<Asked> expected{expected_.begin(), expected_.end()};
        const std::vector<bool> present = co_await context_.present(std::move(etags));
        expected.insert(expected_.begin(), expected_.end()); // those that began meanwhile
        std::vector<std::int64_t> gone;
        for (std::size_t i = 0; i < page.size(); ++i) {
            if (!present[i]) {
                gone.push_back(page[i].first);
            }
        }
        if (!gone.empty()) {
            co_await disk_.run([&] { ledger_->forget(gone, expected); });
            forget_recent();
        }
    }
}

Awaitable<> Quotas::look_daily() {
    co_await async::sleep_for(first_look);
    for (;;) {
        try {
            co_await forget_gone(std::nullopt);
        } catch (const Error& error) { // tomorrow
            complain(error);
        }
        co_await async::sleep_for(between_looks);
    }
}

bool Quotas::may_look_again(uid_t uid) {
    const auto now = Clock::now();
    const auto [place, is_first] = looked_.try_emplace(uid, now);
    const bool may = is_first || now - place->second >= between_looks_of_account;
    if (may) {
        place->second = now;
    }
    return may;
}

/// Once a minute: it may happen in every call.
void Quotas::complain(const Error& error) {
    const auto now = Clock::now();
    if (!complained_ || now - *complained_ > 1min) {
        complained_ = now;
        log::error("access", "the books of the quotas cannot be kept: {}", error.message());
    }
}

Awaitable<> Quotas::stop() {
    house_.cancel();
    co_await house_.join();
    co_await writer_.join();
}

} // namespace wharf::access
