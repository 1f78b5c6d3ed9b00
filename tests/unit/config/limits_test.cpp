#include "daemon/async/task_group.hpp"
#include "daemon/limits.hpp"
#include "daemon/limits_keeper.hpp"
#include "tests/support/run_coroutine.hpp"

#include <cstdlib>
#include <unistd.h>

using namespace std::chrono_literals;
using wharf::Awaitable;
using wharf::Limits;
using wharf::LimitsPeriod;
using wharf::Rates;
using wharf::TwoWayRates;
using wharf::UserIds;
using wharf::WallTime;
using wharf::scheduling::BandwidthLimits;

namespace {

constexpr std::size_t monday = 0;
constexpr std::size_t friday = 4;
constexpr std::size_t saturday = 5;
constexpr std::size_t sunday = 6;

TwoWayRates all(std::uint64_t rate) {
    TwoWayRates rates;
    rates.download.all = rate;
    return rates;
}

/// The rate for all at a time of one period over a base of 100.
std::uint64_t rate_at(LimitsPeriod period, std::size_t weekday, std::chrono::minutes time) {
    Limits limits;
    limits.always.download.all = 100;
    limits.schedule.push_back(std::move(period));
    return rates_at(limits, {weekday, time}).download.all.value();
}

/// A time zone while it lives.
class Zone {
  public:
    explicit Zone(const char* zone) {
        if (const char* before = std::getenv("TZ")) {
            before_ = before;
        }
        ::setenv("TZ", zone, 1);
    }
    Zone(const Zone&) = delete;
    Zone& operator=(const Zone&) = delete;
    ~Zone() {
        if (before_) {
            ::setenv("TZ", before_->c_str(), 1);
        } else {
            ::unsetenv("TZ");
        }
        ::tzset();
    }

  private:
    std::optional<std::string> before_;
};

} // namespace

TEST_CASE("a period of working hours") {
    const LimitsPeriod hours{.days = 0b0011111, .from = 8h, .to = 18h, .rates = all(30)};
    CHECK(rate_at(hours, monday, 7h + 59min) == 100);
    CHECK(rate_at(hours, monday, 8h) == 30);
    CHECK(rate_at(hours, friday, 17h + 59min) == 30);
    CHECK(rate_at(hours, friday, 18h) == 100);
    CHECK(rate_at(hours, saturday, 12h) == 100);
}

TEST_CASE("a period past midnight belongs to the day on which it begins") {
    const LimitsPeriod night{.days = 0b0010000, .from = 22h, .to = 6h, .rates = all(30)};
    CHECK(rate_at(night, friday, 5h) == 100);
    CHECK(rate_at(night, friday, 21h + 59min) == 100);
    CHECK(rate_at(night, friday, 22h) == 30);
    CHECK(rate_at(night, saturday, 0h) == 30);
    CHECK(rate_at(night, saturday, 5h + 59min) == 30);
    CHECK(rate_at(night, saturday, 6h) == 100);
    CHECK(rate_at(night, saturday, 22h) == 100);

    const LimitsPeriod over_the_week{.days = 0b1000000, .from = 20h, .to = 4h, .rates = all(30)};
    CHECK(rate_at(over_the_week, sunday, 23h) == 30);
    CHECK(rate_at(over_the_week, monday, 3h) == 30);
    CHECK(rate_at(over_the_week, monday, 23h) == 100);

    const LimitsPeriod until_midnight{.days = 0b0010000, .from = 22h, .to = 0h, .rates = all(30)};
    CHECK(rate_at(until_midnight, friday, 23h + 59min) == 30);
    CHECK(rate_at(until_midnight, saturday, 0h) == 100);
}

TEST_CASE("whole days, and zero as no limit") {
    const LimitsPeriod weekend{.days = 0b1100000, .rates = all(0)};
    CHECK(rate_at(weekend, saturday, 0h) == 0);
    CHECK(rate_at(weekend, sunday, 23h + 59min) == 0);
    CHECK(rate_at(weekend, monday, 0h) == 100);
}

TEST_CASE("the last period that names a rate wins, and leaves what it does not name") {
    Limits limits;
    limits.always.download = {
        .all = 100, .by_class = {{{}, {}, 50}}, .by_user = {{"ann", 10}, {"bob", 11}}};
    limits.schedule.resize(2);
    limits.schedule[0].rates.download = {
        .all = 70, .by_class = {{{}, 20, 30}}, .by_user = {{"ann", 0}, {"cyd", 3}}};
    limits.schedule[1].rates = all(80);
    const Rates expected{
        .all = 80, .by_class = {{{}, 20, 30}}, .by_user = {{"ann", 0}, {"bob", 11}, {"cyd", 3}}};
    CHECK(rates_at(limits, {monday, 0h}).download == expected);
    CHECK(rates_at(limits, {monday, 0h}).upload == Limits{}.always.upload);
}

TEST_CASE("each direction has its rates, and a period that names one leaves the other") {
    Limits limits;
    limits.always = {.download = {.all = 100, .by_class = {}, .by_user = {}},
                     .upload = {.all = 50, .by_class = {{{}, {}, 5}}, .by_user = {{"ann", 10}}}};
    limits.schedule.resize(1);
    limits.schedule[0].rates.upload.by_user = {{"ann", 20}};
    CHECK(rates_at(limits, {monday, 0h}) ==
          TwoWayRates{.download = limits.always.download,
                      .upload = {.all = 50, .by_class = {{{}, {}, 5}}, .by_user = {{"ann", 20}}}});
}

TEST_CASE("what counts is the time that clocks show, whatever they skip or repeat") {
    // Forward on Sunday 2026-03-29 from 02:00 to 03:00, back on 2026-10-25 from 03:00 to 02:00.
    const Zone zone{"CET-1CEST,M3.5.0/2,M10.5.0/3"};
    const LimitsPeriod early{
        .days = 0b1000000, .from = 2h + 30min, .to = 3h + 30min, .rates = all(30)};
    const auto rate = [&](std::time_t time) {
        const auto now = wharf::wall_time(time);
        return rate_at(early, now.weekday, now.time_of_day);
    };
    constexpr std::time_t spring = 1774746000; // 2026-03-29 01:00 UTC: 02:00 becomes 03:00
    CHECK(wharf::wall_time(spring - 60).time_of_day == 1h + 59min);
    CHECK(wharf::wall_time(spring).time_of_day == 3h);
    CHECK(rate(spring - 60) == 100);
    CHECK(rate(spring) == 30); // its beginning was skipped
    CHECK(rate(spring + 30 * 60) == 100);

    constexpr std::time_t autumn = 1792890000; // 2026-10-25 01:00 UTC: 03:00 becomes 02:00
    CHECK(rate(autumn - 1800) == 30);          // 02:30, the first time
    CHECK(rate(autumn) == 100);                // 02:00 again
    CHECK(rate(autumn + 1800) == 30);
    CHECK(rate(autumn + 5400) == 100);
}

TEST_CASE("weekdays begin with Monday") {
    const Zone zone{"UTC"};
    CHECK(wharf::wall_time(0).weekday == 3); // 1970-01-01 was a Thursday
    CHECK(wharf::wall_time(4 * 86'400).weekday == monday);
    CHECK(wharf::wall_time(4 * 86'400 - 60).weekday == sunday);
    CHECK(wharf::wall_time(4 * 86'400 - 60).time_of_day == 23h + 59min);
}

TEST_CASE("users are known by name and by number") {
    Limits limits;
    limits.always.download.by_user = {{"root", 1}, {"no-such-user-here", 2}};
    limits.schedule.resize(1);
    limits.schedule[0].rates.upload.by_user = {{"4000000", 3}};
    const UserIds expected{
        {"root", 0}, {"no-such-user-here", std::nullopt}, {"4000000", 4'000'000}};
    CHECK(look_up_users(limits) == expected);
}

TEST_CASE("limits for numbers of users") {
    const Rates rates{.all = 9,
                      .by_class = {{0, {}, 5}},
                      .by_user = {{"ann", 7}, {"1001", 6}, {"bob", 0}, {"ghost", 1}, {"new", 2}}};
    const UserIds users{{"ann", 1001}, {"1001", 1001}, {"bob", 1002}, {"ghost", std::nullopt}};
    const BandwidthLimits expected{.all = 9, .by_class = {0, 0, 5}, .by_user = {{1001, 6}}};
    CHECK(bandwidth_limits(rates, users) == expected);
}

TEST_CASE("the keeper applies what holds at once, and users' limits once they are known") {
    wharf::asio::io_context context;
    wharf::async::BlockingPool pool{1};
    BandwidthLimits applied;
    BandwidthLimits upload;
    wharf::async::Event told;
    Limits limits;
    limits.always.download.all = 5;
    limits.always.upload.all = 3;
    wharf::LimitsKeeper keeper{limits, pool, [&](BandwidthLimits down, BandwidthLimits up) {
                                   applied = std::move(down);
                                   upload = std::move(up);
                                   told.notify_all();
                               }};
    const auto body = [&]() -> Awaitable<> {
        wharf::async::TaskGroup group{context.get_executor()};
        group.spawn("time", keeper.keep_time());
        group.spawn("users", keeper.keep_users());
        co_await told.wait();
        CHECK(applied.all == 5);
        CHECK(upload.all == 3);
        limits.always.download.all = 6;
        limits.always.upload.all = 4;
        limits.always.upload.by_user = {{"root", 7}};
        keeper.set(limits);
        CHECK(applied.all == 6);
        CHECK(upload.all == 4);
        while (upload.by_user.empty()) {
            co_await told.wait();
        }
        CHECK(upload.by_user.at(0) == 7);
        CHECK(applied.by_user.empty());
        group.cancel();
        co_await group.join();
    };
    wharf::test::run(body(), context);
}
