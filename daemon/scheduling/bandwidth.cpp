#include "daemon/scheduling/bandwidth.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

// How much a fetch is offered at a tick decides whether bandwidth lies idle. Who has used all he
// got, or waits, may use more: he is offered whatever the limits have. Who has not is held up by
// something else, his server or our disk: he is offered twice what he used, so that limits are not
// what slows him down, and a small share to begin with. All small shares together are what one tick
// brings, so that those who cannot use theirs never keep the others from the full rate. A fetch
// takes no more than that at once, because what it holds while its server is silent nobody can use.

namespace wharf::scheduling {

namespace {

/// What a bucket may carry from one tick to the next: with one tick's income a tenth of a second.
constexpr std::chrono::duration<double> carried{0.08};

/// The longest time that a late tick makes up for.
constexpr std::chrono::nanoseconds longest_gap = std::chrono::seconds{1};

double bytes_in(std::uint64_t rate, std::chrono::duration<double> time) noexcept {
    return static_cast<double>(rate) * time.count();
}

} // namespace

void Bucket::set_rate(std::uint64_t bytes_per_second) noexcept {
    rate_ = bytes_per_second;
    level_ = std::min(level_, bytes_in(rate_, carried));
}

void Bucket::fill(std::chrono::nanoseconds elapsed) noexcept {
    const auto time = std::clamp(elapsed, std::chrono::nanoseconds::zero(), longest_gap);
    level_ = std::min(level_, bytes_in(rate_, carried)) + bytes_in(rate_, time);
}

void Bucket::put_back(std::uint64_t bytes) noexcept {
    level_ += static_cast<double>(bytes);
}

void Bucket::drain(std::uint64_t bytes) noexcept {
    level_ -= static_cast<double>(bytes);
}

std::uint64_t Bucket::content() const noexcept {
    return static_cast<std::uint64_t>(level_);
}

Bandwidth::Bandwidth(Executor executor) : timer_{executor} {}

Bandwidth::~Bandwidth() = default;

std::shared_ptr<Allowance> Bandwidth::open(Claimant who, Executor lane) {
    if (accounts_.size() >= drop_at_) { // nothing else drops them where no limit applies
        drop_closed();
        drop_at_ = std::max<std::size_t>(16, 2 * accounts_.size());
    }
    auto account = std::make_shared<Account>(std::move(lane), who);
    account->limited = is_limited(who);
    accounts_.push_back(account);
    start_ticking();
    return std::make_shared<Allowance>(std::move(account));
}

void Bandwidth::charge(const Allowance& allowance, Claimant who) {
    const auto& account = allowance.account_;
    if (account->who == who) {
        return;
    }
    collect(*account);
    account->who = who;
    update(account);
    start_ticking();
}

void Bandwidth::set_limits(BandwidthLimits limits, Clock::time_point now) {
    if (limits == limits_) {
        return;
    }
    refill(now); // up to now the old rates hold
    limits_ = std::move(limits);
    all_.set_rate(limits_.all);
    for (std::size_t c = 0; c < priorities; ++c) {
        by_class_[c].set_rate(limits_.by_class[c]);
    }
    std::erase_if(by_user_,
                  [&](const auto& user) { return !limits_.by_user.contains(user.first); });
    for (const auto& [uid, rate] : limits_.by_user) {
        by_user_[uid].set_rate(rate);
    }
    for (const auto& account : accounts_) {
        update(account);
    }
    share(now);
    start_ticking();
}

std::vector<Bucket*> Bandwidth::buckets_of(Claimant who) {
    std::vector<Bucket*> found;
    const auto add = [&](Bucket& bucket) {
        if (bucket.rate() > 0) {
            found.push_back(&bucket);
        }
    };
    add(all_);
    add(by_class_[index(who.priority)]);
    if (const auto user = by_user_.find(who.uid); user != by_user_.end()) {
        add(user->second);
    }
    return found;
}

bool Bandwidth::is_limited(Claimant who) {
    return !buckets_of(who).empty();
}

/// Begins or ends counting for one fetch.
void Bandwidth::update(const std::shared_ptr<Account>& account) {
    const bool limited = is_limited(account->who);
    if (limited != account->limited) {
        collect(*account);
        account->limited = limited;
        if (!limited) {
            wake(account);
        }
    }
}

/// Takes back what was not used since the last share.
void Bandwidth::collect(Account& account) {
    account.over = account.closed; // first: what is taken or given back later does not matter
    account.returned = account.credit.exchange(0);
    account.hungry = account.waiting || (account.granted > 0 && account.returned == 0);
    account.used = account.granted - std::min(account.granted, account.returned);
    account.granted = 0;
    for (auto* bucket : buckets_of(account.who)) {
        bucket->put_back(account.returned);
    }
}

void Bandwidth::refill(Clock::time_point now) {
    const auto elapsed = now - filled_;
    filled_ = now;
    all_.fill(elapsed);
    for (auto& bucket : by_class_) {
        bucket.fill(elapsed);
    }
    for (auto& [uid, bucket] : by_user_) {
        bucket.fill(elapsed);
    }
}

/// What the fetch can be expected to use until the next tick.
std::uint64_t Bandwidth::room(Account& account, std::size_t claims) {
    if (account.over) {
        return 0;
    }
    std::uint64_t most = Budget::unbounded;
    std::uint64_t rate = Budget::unbounded;
    for (const auto* bucket : buckets_of(account.who)) {
        most = std::min(most, bucket->content());
        rate = std::min(rate, bucket->rate());
    }
    const auto part = static_cast<std::uint64_t>(bytes_in(rate, tick)) / claims;
    const auto first = std::max<std::uint64_t>(1, part);
    account.at_once.store(first, std::memory_order_relaxed);
    return account.hungry ? most : std::min(most, 2 * account.used + first);
}

Budget Bandwidth::budget() const {
    const auto content = [](const Bucket& bucket) {
        return bucket.rate() > 0 ? bucket.content() : Budget::unbounded;
    };
    Budget budget;
    budget.all = content(all_);
    std::ranges::transform(by_class_, budget.by_class.begin(), content);
    for (const auto& [uid, bucket] : by_user_) {
        budget.by_user[uid] = content(bucket);
    }
    return budget;
}

void Bandwidth::share(Clock::time_point now) {
    if (!accounts_.empty()) { // what does not divide goes to another one each time
        std::ranges::rotate(accounts_, accounts_.begin() + 1);
    }
    std::vector<std::shared_ptr<Account>> limited;
    std::ranges::copy_if(accounts_, std::back_inserter(limited),
                         [](const auto& account) { return account->limited.load(); });
    for (const auto& account : limited) {
        collect(*account);
    }
    refill(now);
    std::vector<Claim> claims;
    for (const auto& account : limited) {
        claims.push_back({.who = account->who,
                          .room = room(*account, limited.size()),
                          .returned = account->returned});
    }
    const auto grants = share_out(budget(), claims);
    for (std::size_t i = 0; i < limited.size(); ++i) {
        grant(limited[i], grants[i]);
    }
    drop_closed();
}

void Bandwidth::grant(const std::shared_ptr<Account>& account, std::uint64_t bytes) {
    if (bytes == 0) {
        return;
    }
    for (auto* bucket : buckets_of(account->who)) {
        bucket->drain(bytes);
    }
    account->granted = bytes;
    account->credit += bytes;
    wake(account);
}

/// The lane's loop holds the account until it has looked at it.
void Bandwidth::wake(const std::shared_ptr<Account>& account) {
    if (account->waiting.exchange(false)) {
        asio::post(account->lane, [account] { account->woken.notify_all(); });
    }
}

void Bandwidth::drop_closed() {
    std::erase_if(accounts_, [](const auto& account) {
        return account->limited ? account->over : account->closed.load();
    });
}

bool Bandwidth::needs_ticks() const {
    return std::ranges::any_of(accounts_,
                               [](const auto& account) { return account->limited.load(); });
}

void Bandwidth::start_ticking() {
    if (!ticking_ && needs_ticks()) {
        ticking_ = true;
        filled_ = std::max(filled_, Clock::now()); // a pause brings nothing
        wait_for_tick();
    }
}

void Bandwidth::wait_for_tick() {
    timer_.expires_after(tick);
    timer_.async_wait([this, alive = std::weak_ptr{alive_}](const boost::system::error_code&) {
        if (alive.expired()) {
            return; // the timer went with its owner
        }
        share(Clock::now());
        ticking_ = needs_ticks();
        if (ticking_) {
            wait_for_tick();
        }
    });
}

} // namespace wharf::scheduling
