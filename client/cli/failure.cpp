#include "client/cli/failure.hpp"

#include "client/cli/io.hpp"
#include "client/cli/text.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <unistd.h>

namespace wharf::cli {

namespace {

namespace json = boost::json;
using protocol::ExitCode;

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

Failure::Failure(const client::DaemonUnreachable& error)
    : Failure{ExitCode::no_daemon, "org.wharf.client.NoDaemon", error.message(), error.hint()} {}

Failure remote_failure(std::string_view method, const client::RemoteError& error) {
    const ExitCode code = protocol::exit_code(error.name());
    if (is_unknown_call(error.name())) {
        return {code, error.name(),
                fmt::format("the daemon does not know {}: it is older than this command", method),
                "compare them with `wharf version`, and restart the daemon after an upgrade: "
                "systemctl restart wharfd"};
    }
    if (error.name() == protocol::invalid_parameter) {
        const json::value* parameter = error.parameters().if_contains("parameter");
        const std::string name = parameter && parameter->is_string()
                                     ? std::string{parameter->get_string()}
                                     : std::string{"?"};
        return {code, error.name(),
                fmt::format("the daemon does not accept the value given for '{}'", name),
                "see `wharf --help` for what it may be"};
    }
    return {code, error.name(), error.message(), error.hint()};
}

std::string describe(const Failure& failure) {
    std::string out = fmt::format("wharf: {}\n", printable(failure.message()));
    if (!failure.hint().empty()) {
        out += fmt::format("hint: {}\n", printable(failure.hint()));
    }
    return out;
}

void tell(const Failure& failure, bool as_json) {
    write_quietly(STDERR_FILENO, as_json ? describe_json(failure) : describe(failure));
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
