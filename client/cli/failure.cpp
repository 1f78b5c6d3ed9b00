#include "client/cli/failure.hpp"

#include "client/cli/text.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace wharf::cli {

namespace {

namespace json = boost::json;
using protocol::ExitCode;

/// A text member of an error's parameters, empty when it is missing: an error must not fail itself.
std::string member(const json::object& parameters, std::string_view name) {
    const json::value* value = parameters.if_contains(name);
    const json::string* text = value ? value->if_string() : nullptr;
    return text ? std::string{text->data(), text->size()} : std::string{};
}

bool is_unknown_call(std::string_view name) {
    return name == protocol::method_not_found || name == protocol::interface_not_found ||
           name == protocol::method_not_implemented;
}

} // namespace

Failure::Failure(ExitCode code, std::string name, std::string message, std::string hint)
    : code_{code}, name_{std::move(name)}, message_{std::move(message)}, hint_{std::move(hint)} {}

Failure::Failure(const Error& error)
    : Failure{protocol::exit_code(error.kind()), std::string{protocol::error_name(error.kind())},
              error.message(), error.hint()} {}

Failure remote_failure(std::string_view method, std::string_view name,
                       const json::object& parameters) {
    const ExitCode code = protocol::exit_code(name);
    if (is_unknown_call(name)) {
        return {code, std::string{name},
                fmt::format("the daemon does not know {}: it is older than this command", method),
                "compare them with `wharf version`, and restart the daemon after an upgrade: "
                "systemctl restart wharfd"};
    }
    if (name == protocol::invalid_parameter) {
        return {code, std::string{name},
                fmt::format("the daemon does not accept the value given for '{}'",
                            member(parameters, "parameter"))};
    }
    std::string message = member(parameters, "message");
    if (message.empty()) {
        message = fmt::format("the daemon answered {} to {}", name, method);
    }
    return {code, std::string{name}, std::move(message), member(parameters, "hint")};
}

Failure no_daemon(std::string_view socket, int error) {
    const bool refused = error == EACCES || error == EPERM;
    return {ExitCode::no_daemon, "org.wharf.client.NoDaemon",
            fmt::format("the daemon cannot be reached at {}: {}", socket,
                        std::generic_category().message(error)),
            refused
                ? "ask the administrator to let you use it (usually by the group wharf)"
                : "start it with `systemctl start wharfd`, or with `wharfd --user` for yourself "
                  "alone; --socket or WHARF_SOCKET choose another"};
}

std::string describe(const Failure& failure) {
    std::string out = fmt::format("wharf: {}\n", printable(failure.message()));
    if (!failure.hint().empty()) {
        out += fmt::format("hint: {}\n", printable(failure.hint()));
    }
    return out;
}

std::string describe_json(const Failure& failure) {
    json::object error;
    error["name"] = failure.name();
    error["message"] = failure.message();
    error["hint"] = failure.hint();
    json::object out;
    out["error"] = std::move(error);
    out["exit_code"] = static_cast<int>(failure.code());
    return json::serialize(out) + "\n";
}

} // namespace wharf::cli
