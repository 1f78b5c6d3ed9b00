#include "client/cli/command_quota.hpp"

#include "base/units.hpp"
#include "client/cli/daemon.hpp"
#include "client/cli/io.hpp"
#include "client/cli/json_fields.hpp"
#include "client/cli/repo_reference.hpp"
#include "client/cli/table.hpp"
#include "client/cli/text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace wharf::cli {

namespace {

namespace json = boost::json;

std::optional<std::uint64_t> optional_size(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    return value && !value->is_null() ? std::optional{size_member(object, name)} : std::nullopt;
}

std::string account_name(const json::object& account) {
    return optional_text_member(account, "user")
        .value_or(std::to_string(number_member(account, "uid")));
}

/// A repo as it is written in commands: "datasets/org/name".
std::string repo_name(const json::object& repo) {
    const std::string type = text_member(repo, "repo_type");
    return (type == "model" ? "" : type + "s/") + text_member(repo, "repo");
}

std::string limit_or_none(const std::optional<std::uint64_t>& limit, bool as_size) {
    return !limit ? "-" : as_size ? format_size(*limit) : std::to_string(*limit);
}

/// "480.2 GB of 500.0 GB", "3, no limit".
std::string with_limit(const json::object& account, std::string_view used, std::string_view limit,
                       bool as_size) {
    const auto now = limit_or_none(size_member(account, used), as_size);
    const auto most = optional_size(account, limit);
    return most ? fmt::format("{} of {}", now, limit_or_none(most, as_size)) : now + ", no limit";
}

std::string describe_account(const json::object& account) {
    std::string out;
    const auto line = [&out](std::string_view name, std::string_view value) {
        out += fmt::format("{:<10}{}\n", name, printable(value));
    };
    line("account",
         fmt::format("{} (uid {})", account_name(account), number_member(account, "uid")));
    line("cache", with_limit(account, "bytes_used", "bytes_limit", true));
    line("running", with_limit(account, "jobs_running", "running_limit", false));
    line("queued", with_limit(account, "jobs_queued", "queued_limit", false));
    line("to push", with_limit(account, "staged_bytes", "staged_limit", true));
    return out;
}

std::string repos_table(const json::array& repos) {
    Table table{{"REPO", Align::left}, {"SHARE", Align::right}};
    for (const json::value& element : repos) {
        const json::object& repo = as_object(element);
        table.add({repo_name(repo), format_size(size_member(repo, "bytes"))});
    }
    return table.render();
}

std::string accounts_table(const json::array& accounts) {
    Table table{{"ACCOUNT", Align::left}, {"UID", Align::right},     {"CACHE", Align::right},
                {"LIMIT", Align::right},  {"RUNNING", Align::right}, {"LIMIT", Align::right},
                {"QUEUED", Align::right}, {"LIMIT", Align::right},   {"TO PUSH", Align::right},
                {"LIMIT", Align::right}};
    for (const json::value& element : accounts) {
        const json::object& account = as_object(element);
        const auto cell = [&account](std::string_view name, bool as_size) {
            return limit_or_none(optional_size(account, name), as_size);
        };
        table.add({account_name(account), std::to_string(number_member(account, "uid")),
                   cell("bytes_used", true), cell("bytes_limit", true), cell("jobs_running", false),
                   cell("running_limit", false), cell("jobs_queued", false),
                   cell("queued_limit", false), cell("staged_bytes", true),
                   cell("staged_limit", true)});
    }
    return table.render();
}

} // namespace

void run_quota_show(const QuotaShowCommand& command, const Session& session) {
    Daemon daemon{session.socket};
    json::object parameters;
    if (command.user) {
        parameters["user"] = *command.user;
    }
    const json::object answer = daemon.call("org.wharf.Quota.Show", std::move(parameters));
    const json::object& account = object_member(answer, "account");
    const json::array& repos = list_member(answer, "repos");
    if (session.is(OutputFormat::json)) {
        print_json(answer);
    } else if (session.is(OutputFormat::quiet)) {
        print_result(fmt::format("{}\n", size_member(account, "bytes_used")));
    } else {
        print_result(describe_account(account) + (repos.empty() ? "" : "\n" + repos_table(repos)));
    }
}

void run_quota_list(const Session& session) {
    Daemon daemon{session.socket};
    const json::object answer = daemon.call("org.wharf.Quota.List");
    const json::array& accounts = list_member(answer, "accounts");
    if (session.is(OutputFormat::json)) {
        print_json(answer);
    } else if (session.is(OutputFormat::quiet)) {
        std::string names;
        for (const json::value& account : accounts) {
            names += printable(account_name(as_object(account))) + "\n";
        }
        print_result(names);
    } else {
        print_result(accounts.empty() ? "Nobody has anything.\n" : accounts_table(accounts));
    }
}

void run_quota_release(const QuotaReleaseCommand& command, const Session& session) {
    const RepoReference reference = parse_repo_id(command.repo).value();
    json::object parameters;
    parameters["repo"] = reference.repo;
    if (const auto type = command.repo_type ? command.repo_type : reference.repo_type) {
        parameters["repo_type"] = *type;
    }
    Daemon daemon{session.socket};
    const json::object answer = daemon.call("org.wharf.Quota.Release", std::move(parameters));
    const auto bytes = size_member(answer, "bytes");
    if (session.is(OutputFormat::json)) {
        print_json(answer);
    } else if (session.is(OutputFormat::quiet)) {
        print_result(fmt::format("{}\n", bytes));
    } else {
        print_result(fmt::format("{}: gave up {}\n", printable(command.repo), format_size(bytes)));
    }
}

} // namespace wharf::cli
