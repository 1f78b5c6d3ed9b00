#include "daemon/access/known_accounts.hpp"

#include "base/error.hpp"
#include "daemon/access/accounts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <grp.h>
#include <memory>
#include <pwd.h>
#include <utility>

namespace wharf::access {

namespace {

using Clock = std::chrono::steady_clock;

/// Calls one of the system's look-ups with as much memory as it wants; null when nothing is found.
template <typename Record, typename Call>
Record* look_up(Record& record, std::vector<char>& buffer, Call call) {
    Record* found = nullptr;
    buffer.resize(1024);
    while (call(&record, buffer.data(), buffer.size(), &found) == ERANGE) {
        buffer.resize(2 * buffer.size());
    }
    return found;
}

std::optional<std::string> group_name(gid_t gid) {
    group record{};
    std::vector<char> buffer;
    const auto* found =
        look_up(record, buffer, [gid](auto... rest) { return ::getgrgid_r(gid, rest...); });
    return found ? std::optional<std::string>{found->gr_name} : std::nullopt;
}

std::vector<gid_t> groups_of(const passwd& user) {
    std::vector<gid_t> groups(32);
    auto count = static_cast<int>(groups.size());
    while (::getgrouplist(user.pw_name, user.pw_gid, groups.data(), &count) < 0) {
        groups.resize(std::max(2 * groups.size(), static_cast<std::size_t>(count)));
        count = static_cast<int>(groups.size());
    }
    groups.resize(static_cast<std::size_t>(count));
    return groups;
}

} // namespace

Account look_up_account(uid_t uid) {
    Account account{.uid = uid, .name = {}, .groups = {}};
    passwd record{};
    std::vector<char> buffer;
    const auto* found =
        look_up(record, buffer, [uid](auto... rest) { return ::getpwuid_r(uid, rest...); });
    if (found != nullptr) {
        account.name = found->pw_name;
        for (const gid_t gid : groups_of(*found)) {
            account.groups.push_back(std::to_string(gid));
            if (auto name = group_name(gid)) {
                account.groups.push_back(*std::move(name));
            }
        }
    }
    return account;
}

KnownAccounts::KnownAccounts(Executor executor, LookUp look_up)
    : look_up_{std::move(look_up)}, threads_{std::move(executor), most_questions} {}

KnownAccounts::Entry& KnownAccounts::entry_of(uid_t uid) {
    auto& entry = entries_[uid];
    entry.account.uid = uid;
    if (!entry.asked && (!entry.answered || Clock::now() - *entry.answered > fresh_for)) {
        ask(uid, entry);
    }
    return entry;
}

/// Where all threads hang, the next look at the account tries again.
void KnownAccounts::ask(uid_t uid, Entry& entry) {
    entry.asked = threads_.start([look_up = look_up_, uid, this]() -> async::LooseThreads::Outcome {
        return [this, account = look_up(uid)] { learn(account); };
    });
}

/// Who was known and is not found any more stays known: the directory may be out of order.
void KnownAccounts::learn(Account account) {
    auto& entry = entries_[account.uid];
    entry.asked = false;
    entry.answered = Clock::now();
    const bool is_news = account != entry.account && !account.name.empty();
    if (is_news) {
        entry.account = std::move(account);
    }
    answered_.notify_all();
    if (is_news && on_news_) {
        on_news_(entry.account.uid);
    }
}

const Account& KnownAccounts::known(uid_t uid) {
    return entry_of(uid).account;
}

Awaitable<Account> KnownAccounts::find(uid_t uid) {
    const auto until = Clock::now() + longest_wait;
    bool in_time = true;
    while (in_time && !entry_of(uid).answered) {
        in_time = co_await answered_.wait_for(until - Clock::now());
    }
    co_return entry_of(uid).account;
}

Awaitable<std::optional<uid_t>> KnownAccounts::find_uid(std::string name) {
    struct Answer {
        std::optional<Result<std::optional<uid_t>>> uid;
    };
    const auto answer = std::make_shared<Answer>();
    const auto until = Clock::now() + longest_wait;
    bool in_time = threads_.start([this, answer, name]() -> async::LooseThreads::Outcome {
        return [this, answer, uid = find_user(name)] {
            answer->uid = uid;
            answered_.notify_all();
        };
    });
    while (in_time && !answer->uid) {
        in_time = co_await answered_.wait_for(until - Clock::now());
    }
    if (!answer->uid) {
        throw Error{ErrorKind::unavailable,
                    fmt::format("this machine does not say now who {} is", name),
                    "its directory of accounts may be out of order; use the account's number"};
    }
    co_return answer->uid->value();
}

} // namespace wharf::access
