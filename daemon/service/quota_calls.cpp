// org.wharf.Quota: how much of this machine each account has, and may have.
#include "daemon/service/quota_calls.hpp"

#include "daemon/service/wire.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>
#include <utility>

namespace wharf::service {

namespace json = boost::json;

namespace {

constexpr std::size_t most_repos = 200;

std::int64_t number(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}

template <typename T>
json::value number_or_null(const std::optional<T>& value) {
    return value ? json::value(number(*value)) : json::value(nullptr);
}

json::object to_json(const QuotaSources& sources, const access::Account& account,
                     std::uint64_t bytes) {
    const auto limits = sources.quotas.limits_of(account.uid);
    const auto jobs = sources.jobs.counts_of(account.uid);
    return {{"uid", std::int64_t{account.uid}},
            {"user", or_null(account.name)},
            {"bytes_used", number(bytes)},
            {"bytes_limit", number_or_null(limits.bytes)},
            {"jobs_running", number(jobs.running)},
            {"running_limit", number_or_null(limits.running_jobs)},
            {"jobs_queued", number(jobs.queued)},
            {"queued_limit", number_or_null(limits.queued_jobs)},
            {"staged_bytes", number(sources.staged_bytes(account.uid))},
            {"staged_limit", number_or_null(limits.staging)}};
}

void require_admin(const Call& call) {
    if (!call.rights().administer) {
        throw access::PolicyRefusal{"only administrators of this machine may see what others have",
                                    "'wharf quota' shows your own account"};
    }
}

Awaitable<uid_t> account_meant(const QuotaSources& sources, Call& call) {
    const auto* user = call.parameters().if_contains("user");
    if (user == nullptr || user->is_null()) {
        co_return call.peer().uid;
    }
    require_admin(call);
    const std::string name{std::string_view{user->as_string()}};
    const std::optional<uid_t> uid = co_await sources.accounts.find_uid(name);
    if (!uid) {
        throw Error{ErrorKind::invalid_request, fmt::format("there is no user {}", name),
                    "give the name or the number of an account"};
    }
    co_return *uid;
}

Awaitable<> show(std::shared_ptr<const QuotaSources> sources, Call& call) {
    const uid_t uid = co_await account_meant(*sources, call);
    const access::Account account = co_await sources->accounts.find(uid);
    const std::uint64_t bytes = co_await sources->quotas.usage(uid);
    const auto repos = co_await sources->quotas.repos_of(uid, most_repos);
    json::array list;
    for (const auto& [repo, share] : repos) {
        list.push_back(json::object{
            {"repo", repo.name}, {"repo_type", hub::name(repo.type)}, {"bytes", number(share)}});
    }
    json::object answer{{"account", to_json(*sources, account, bytes)}, {"repos", std::move(list)}};
    co_await call.reply(std::move(answer));
}

Awaitable<> list(std::shared_ptr<const QuotaSources> sources, Call& call) {
    require_admin(call);
    std::map<uid_t, std::uint64_t> used;
    for (const uid_t uid : sources->jobs.accounts()) {
        used[uid] = 0;
    }
    for (const uid_t uid : sources->pushers()) {
        used[uid] = 0;
    }
    const auto carriers = co_await sources->quotas.accounts();
    for (const auto& [uid, bytes] : carriers) {
        used[uid] = bytes;
    }
    json::array accounts;
    for (const auto& [uid, bytes] : used) {
        const access::Account account = co_await sources->accounts.find(uid);
        accounts.push_back(to_json(*sources, account, bytes));
    }
    json::object answer{{"accounts", std::move(accounts)}};
    co_await call.reply(std::move(answer));
}

Awaitable<> release(std::shared_ptr<const QuotaSources> sources, Call& call) {
    auto repo = read_repo(call.parameters());
    const std::uint64_t bytes = co_await sources->quotas.release(call.peer().uid, std::move(repo));
    json::object answer{{"bytes", number(bytes)}};
    co_await call.reply(std::move(answer));
}

} // namespace

void add_quota_calls(Dispatcher& dispatcher, QuotaSources given) {
    const auto sources = std::make_shared<const QuotaSources>(std::move(given));
    dispatcher.add({.name = "org.wharf.Quota.Show",
                    .handler = [sources](Call& call) { return show(sources, call); }});
    dispatcher.add({.name = "org.wharf.Quota.List",
                    .handler = [sources](Call& call) { return list(sources, call); }});
    dispatcher.add({.name = "org.wharf.Quota.Release",
                    .handler = [sources](Call& call) { return release(sources, call); }});
}

} // namespace wharf::service
