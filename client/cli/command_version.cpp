#include "client/cli/command_version.hpp"

#include "client/cli/daemon.hpp"
#include "client/cli/failure.hpp"
#include "client/cli/interrupts.hpp"
#include "client/cli/io.hpp"
#include "client/cli/json_fields.hpp"
#include "client/cli/text.hpp"
#include "protocol/definitions.hpp"

#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace wharf::cli {

namespace {

struct DaemonVersion {
    std::optional<std::string> version;
    std::string trouble; ///< why there is none
};

/// A daemon that cannot be asked is no failure here: the question is often asked because of that.
DaemonVersion ask_daemon(const std::string& socket) {
    try {
        Daemon daemon{socket};
        const auto info = daemon.call("org.varlink.service.GetInfo");
        return {text_member(info, "version"), {}};
    } catch (const std::exception& error) {
        Interrupts::check();
        return {std::nullopt, error.what()};
    }
}

} // namespace

void run_version(const Session& session) {
    if (session.is(OutputFormat::quiet)) {
        print_result(fmt::format("{}\n", protocol::version()));
        return;
    }
    const DaemonVersion daemon = ask_daemon(session.socket);
    if (session.is(OutputFormat::json)) {
        boost::json::object out;
        out["version"] = protocol::version();
        out["daemon_version"] =
            daemon.version ? boost::json::value(*daemon.version) : boost::json::value(nullptr);
        out["socket"] = session.socket;
        print_json(out);
        return;
    }
    print_result(fmt::format("wharf {}\nwharfd {}\n", protocol::version(),
                             printable(daemon.version.value_or("? (" + daemon.trouble + ")"))));
}

} // namespace wharf::cli
