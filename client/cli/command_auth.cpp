#include "client/cli/command_auth.hpp"

#include "client/cli/daemon.hpp"
#include "client/cli/endpoint.hpp"
#include "client/cli/io.hpp"
#include "client/cli/json_fields.hpp"
#include "client/cli/local_time.hpp"
#include "client/cli/table.hpp"
#include "client/cli/text.hpp"
#include "client/cli/token.hpp"
#include "client/cli/token_prompt.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <unistd.h>

namespace wharf::cli {

namespace {

namespace json = boost::json;

constexpr std::string_view official_endpoint = "https://huggingface.co";

/// A call that asks the Hub, which may take longer than the daemon's own answers.
json::object ask(Daemon& daemon, std::string_view method, json::object parameters) {
    json::object answer;
    daemon.stream(method, std::move(parameters),
                  [&](const json::object& message) { answer = message; });
    return answer;
}

/// Keeps a token from a Hub that its owner does not mean.
void require_endpoint(Daemon& daemon, const Session& session) {
    if (const auto wanted = wanted_endpoint(session.environment)) {
        const json::object status = daemon.call("org.wharf.Status");
        check_endpoint(*wanted, text_member(status, "endpoint"), true);
    }
}

void warn(const Session& session, std::string_view text) {
    if (session.is(OutputFormat::human)) {
        write_quietly(STDERR_FILENO, fmt::format("warning: {}\n", printable(text)));
    }
}

/// What goes before a stored token is easily forgotten.
void warn_about_other_tokens(const Session& session) {
    const auto other = find_token(std::nullopt, session.environment, read_token_file);
    if (other && other->has_token()) {
        warn(session, "HF_TOKEN or a token file of `hf` is there too, and is used instead of a "
                      "stored token");
    }
}

/// The token to log in with. Never from the environment: that is used anyway.
std::string token_to_store(const LoginCommand& command) {
    if (command.token) {
        return clean_token(*command.token, "--token").value();
    }
    std::string line = read_secret_line(
        STDIN_FILENO, "Your token (see the settings of your account at the Hub; not shown): ");
    return clean_token(std::move(line), "standard input").value();
}

/// "'laptop' (write)", as far as it is known.
std::string describe_token(const json::object& token) {
    const std::string name = text_member(token, "token_name");
    const std::string role = text_member(token, "role");
    std::string text = name.empty() ? "" : fmt::format("'{}'", name);
    if (!role.empty()) {
        text += fmt::format("{}({})", text.empty() ? "" : " ", role);
    }
    return printable(text);
}

std::string join(const json::array& names) {
    std::string text;
    for (const json::value& name : names) {
        if (const json::string* one = name.if_string()) {
            text += fmt::format("{}{}", text.empty() ? "" : ",", std::string_view{*one});
        }
    }
    return text;
}

std::string describe_owner(const json::object& answer) {
    std::string out;
    const auto line = [&out](std::string_view name, const std::string& value) {
        if (!value.empty()) {
            out += fmt::format("{}: {}\n", name, printable(value));
        }
    };
    line("user", text_member(answer, "user"));
    line("orgs", join(list_member(answer, "orgs")));
    const std::string endpoint = text_member(answer, "endpoint");
    line("endpoint", is_same_endpoint(endpoint, official_endpoint) ? "" : endpoint);
    const std::string token = describe_token(answer);
    const bool stored = flag_member(answer, "stored");
    line("token", token + (stored ? token.empty() ? "stored" : ", stored" : ""));
    return out;
}

std::string tokens_table(const json::array& tokens) {
    Table table{{"UID", Align::right, 1}, {"USER", Align::left},   {"TOKEN", Align::left},
                {"ROLE", Align::left, 2}, {"STORED", Align::left}, {"STATE", Align::left}};
    for (const json::value& element : tokens) {
        const json::object& token = as_object(element);
        table.add({std::to_string(number_member(token, "uid")), text_member(token, "user"),
                   text_member(token, "token_name"), text_member(token, "role"),
                   short_time(text_member(token, "stored"), current_time()),
                   optional_text_member(token, "fault").value_or("in use")});
    }
    const auto width = terminal_columns(STDOUT_FILENO);
    return width ? table.render(*width) : table.render();
}

} // namespace

void run_login(const LoginCommand& command, const Session& session) {
    Daemon daemon{session.socket};
    require_endpoint(daemon, session); // before anybody types a token in vain
    json::object parameters;
    parameters["token"] = token_to_store(command);
    const json::object answer = ask(daemon, "org.wharf.Auth.Login", std::move(parameters));
    const json::object& token = object_member(answer, "token");
    const std::string user = printable(text_member(token, "user"));
    if (session.is(OutputFormat::json)) {
        print_json(token);
    } else if (session.is(OutputFormat::quiet)) {
        print_result(user + "\n");
    } else {
        const std::string what = describe_token(token);
        print_result(fmt::format("Logged in as {}. The daemon keeps your token{}{}.\n", user,
                                 what.empty() ? "" : " ", what));
        warn_about_other_tokens(session);
    }
}

void run_logout(const Session& session) {
    Daemon daemon{session.socket};
    const json::object answer = daemon.call("org.wharf.Auth.Logout");
    const json::object* token = optional_object_member(answer, "token");
    const std::string user = token ? printable(text_member(*token, "user")) : "";
    if (session.is(OutputFormat::json)) {
        print_json(answer);
    } else if (session.is(OutputFormat::quiet)) {
        print_result(token ? user + "\n" : "");
    } else {
        print_result(token ? fmt::format("Logged out. The daemon keeps no token of {}.\n", user)
                           : "Not logged in.\n");
        warn_about_other_tokens(session);
    }
}

void run_whoami(const WhoAmICommand& command, const Session& session) {
    const TokenSearch search =
        find_token(command.token, session.environment, read_token_file).value();
    if (search.warning) {
        warn(session, *search.warning);
    }
    Daemon daemon{session.socket};
    json::object parameters;
    if (search.token) {
        if (search.has_token()) {
            require_endpoint(daemon, session);
        }
        parameters["token"] = *search.token;
    }
    const json::object answer = ask(daemon, "org.wharf.Auth.WhoAmI", std::move(parameters));
    if (session.is(OutputFormat::json)) {
        print_json(answer);
    } else if (session.is(OutputFormat::quiet)) {
        print_result(printable(text_member(answer, "user")) + "\n");
    } else {
        print_result(describe_owner(answer));
    }
}

void run_tokens_list(const TokensListCommand& command, const Session& session) {
    Daemon daemon{session.socket};
    json::object parameters;
    parameters["all"] = command.all;
    const json::object answer = daemon.call("org.wharf.Auth.List", std::move(parameters));
    const json::array& tokens = list_member(answer, "tokens");
    if (session.is(OutputFormat::json)) {
        print_json(answer);
    } else if (session.is(OutputFormat::quiet)) {
        std::string users;
        for (const json::value& token : tokens) {
            users += printable(text_member(as_object(token), "user")) + "\n";
        }
        print_result(users);
    } else {
        print_result(tokens.empty() ? "No token is stored. `wharf auth login` stores one.\n"
                                    : tokens_table(tokens));
    }
}

} // namespace wharf::cli
