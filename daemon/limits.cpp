#include "daemon/limits.hpp"

#include "daemon/access/accounts.hpp"

#include <algorithm>
#include <time.h>

namespace wharf {

namespace {

bool applies(const LimitsPeriod& period, WallTime now) {
    const bool today = period.days[now.weekday];
    if (period.from < period.to) {
        return today && period.from <= now.time_of_day && now.time_of_day < period.to;
    }
    const bool yesterday = period.days[(now.weekday + 6) % 7]; // its night is not over yet
    return (today && period.from <= now.time_of_day) || (yesterday && now.time_of_day < period.to);
}

void overlay(Rates& rates, const Rates& over) {
    if (over.all) {
        rates.all = over.all;
    }
    for (std::size_t c = 0; c < rates.by_class.size(); ++c) {
        if (over.by_class[c]) {
            rates.by_class[c] = over.by_class[c];
        }
    }
    for (const auto& [user, rate] : over.by_user) {
        rates.by_user[user] = rate;
    }
}

} // namespace

WallTime wall_time(std::time_t time) {
    ::tzset(); // localtime_r() need not notice that the zone was changed
    std::tm local{};
    ::localtime_r(&time, &local);
    return {.weekday = static_cast<std::size_t>(local.tm_wday + 6) % 7,
            .time_of_day = std::chrono::minutes{local.tm_hour * 60 + local.tm_min}};
}

TwoWayRates rates_at(const Limits& limits, WallTime now) {
    TwoWayRates rates = limits.always;
    for (const auto& period : limits.schedule) {
        if (applies(period, now)) {
            overlay(rates.download, period.rates.download);
            overlay(rates.upload, period.rates.upload);
        }
    }
    return rates;
}

UserIds look_up_users(const Limits& limits) {
    UserIds users;
    const auto add = [&](const Rates& rates) {
        for (const auto& [user, rate] : rates.by_user) {
            if (!users.contains(user)) {
                const auto found = access::find_user(user);
                users.emplace(user, found ? *found : std::nullopt);
            }
        }
    };
    const auto add_both = [&](const TwoWayRates& rates) {
        add(rates.download);
        add(rates.upload);
    };
    add_both(limits.always);
    for (const auto& period : limits.schedule) {
        add_both(period.rates);
    }
    return users;
}

scheduling::BandwidthLimits bandwidth_limits(const Rates& rates, const UserIds& users) {
    scheduling::BandwidthLimits limits;
    limits.all = rates.all.value_or(0);
    std::ranges::transform(rates.by_class, limits.by_class.begin(),
                           [](const auto& rate) { return rate.value_or(0); });
    for (const auto& [user, rate] : rates.by_user) {
        const auto known = users.find(user);
        if (rate == 0 || known == users.end() || !known->second) {
            continue;
        }
        const auto [place, added] = limits.by_user.emplace(*known->second, rate);
        place->second = std::min(place->second, rate);
    }
    return limits;
}

} // namespace wharf
