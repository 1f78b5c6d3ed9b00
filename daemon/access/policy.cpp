#include "daemon/access/policy.hpp"

#include "base/log.hpp"
#include "daemon/access/accounts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace wharf::access {

namespace {

constexpr std::chrono::minutes look_up_period{5};

constexpr std::string_view everybody = "*";

template <typename Number, typename Find>
void look_up(const std::vector<std::string>& names,
             std::map<std::string, std::optional<Number>>& numbers, Find find) {
    for (const auto& name : names) {
        if (name == everybody || numbers.contains(name)) {
            continue;
        }
        if (const auto found = find(name)) {
            numbers.emplace(name, *found);
        } else {
            log::warning("access", "{}", found.error().message());
        }
    }
}

/// What could not be asked stays as it was known.
template <typename Map>
void take_over(Map& known, Map found) {
    for (auto& [name, number] : found) {
        known.insert_or_assign(name, number);
    }
}

/// Adds the numbers that are known; true when everybody is meant.
template <typename Number>
bool add_known(const std::vector<std::string>& names,
               const std::map<std::string, std::optional<Number>>& known,
               std::set<Number>& numbers) {
    bool all = false;
    for (const auto& name : names) {
        const auto found = known.find(name);
        all = all || name == everybody;
        if (found != known.end() && found->second) {
            numbers.insert(*found->second);
        }
    }
    return all;
}

} // namespace

Names look_up_names(const Rules& rules) {
    Names names;
    for (const auto* accounts : {&rules.allow, &rules.download, &rules.upload, &rules.admin}) {
        look_up(accounts->users, names.users, find_user);
        look_up(accounts->groups, names.groups, find_group);
    }
    return names;
}

Policy::Policy(Rules rules, uid_t owner, LookUp look_up)
    : rules_{std::move(rules)}, owner_{owner}, look_up_{std::move(look_up)} {
    learn(look_up_(rules_));
}

Rights Policy::rights(const Peer& peer) const {
    if (peer.uid == owner_ || admin_.holds(peer)) {
        return {.connect = true, .download = true, .upload = true, .administer = true};
    }
    const bool connect = allow_.holds(peer);
    return {.connect = connect,
            .download = connect && download_.holds(peer),
            .upload = connect && upload_.holds(peer),
            .administer = false};
}

Rights Policy::admit(const Peer& peer) const {
    const Rights rights = this->rights(peer);
    if (rights.connect) {
        return rights;
    }
    const auto& groups = rules_.allow.groups;
    throw PolicyRefusal{"this account may not use the daemon",
                        groups.empty()
                            ? "ask the administrator of this machine for access"
                            : fmt::format("ask the administrator of this machine to add you to "
                                          "the group {}, and log in again",
                                          groups.front())};
}

void Policy::set(Rules rules) {
    rules_ = std::move(rules);
    warned_.clear();
    draw();
    changed_.notify_all();
}

Awaitable<> Policy::keep_names(async::BlockingPool& pool) {
    for (;;) {
        co_await changed_.wait_for(look_up_period);
        Rules asked;
        do {
            asked = rules_; // set() may change them meanwhile
            Names found = co_await pool.run([this, &asked] { return look_up_(asked); });
            learn(std::move(found));
        } while (asked != rules_);
    }
}

void Policy::learn(Names found) {
    take_over(names_.users, std::move(found.users));
    take_over(names_.groups, std::move(found.groups));
    draw();
    warn_of_unknown("allow", rules_.allow);
    warn_of_unknown("download", rules_.download);
    warn_of_unknown("upload", rules_.upload);
    warn_of_unknown("admin", rules_.admin);
}

/// Makes the circles of what is known.
void Policy::draw() {
    allow_ = circle(rules_.allow);
    download_ = circle_or_all(rules_.download);
    upload_ = circle_or_all(rules_.upload);
    admin_ = circle(rules_.admin);
}

Policy::Circle Policy::circle(const Accounts& accounts) const {
    Circle circle;
    circle.everybody = add_known(accounts.users, names_.users, circle.users);
    circle.everybody |= add_known(accounts.groups, names_.groups, circle.groups);
    return circle;
}

/// Where nobody is named, nobody is left out.
Policy::Circle Policy::circle_or_all(const Accounts& accounts) const {
    Circle circle = this->circle(accounts);
    circle.everybody = circle.everybody || accounts == Accounts{};
    return circle;
}

bool Policy::Circle::holds(const Peer& peer) const {
    return everybody || users.contains(peer.uid) || groups.contains(peer.gid) ||
           std::ranges::any_of(peer.groups, [this](gid_t group) { return groups.contains(group); });
}

void Policy::warn_of_unknown(std::string_view key, const Accounts& accounts) {
    const auto warn = [&](const auto& names, const auto& known, std::string_view kind) {
        for (const auto& name : names) {
            const auto found = known.find(name);
            const bool is_unknown = name != everybody && (found == known.end() || !found->second);
            if (is_unknown && warned_.insert(fmt::format("{} {} {}", key, kind, name)).second) {
                log::warning("access",
                             "[access] {}_{}s names the {} {}, whom this machine does not know",
                             key, kind, kind, name);
            }
        }
    };
    warn(accounts.users, names_.users, "user");
    warn(accounts.groups, names_.groups, "group");
}

} // namespace wharf::access
