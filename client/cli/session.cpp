#include "client/cli/session.hpp"

#include "client/cli/io.hpp"
#include "client/lib/socket_path.hpp"

#include <boost/json/serialize.hpp>

#include <unistd.h>

namespace wharf::cli {

ProgressDisplay::Mode Session::progress_mode() const {
    if (!is(OutputFormat::human) || is_true(environment, "HF_HUB_DISABLE_PROGRESS_BARS")) {
        return ProgressDisplay::Mode::muted;
    }
    return screen.interactive ? ProgressDisplay::Mode::bars : ProgressDisplay::Mode::lines;
}

Session make_session(const Options& options) {
    Session session;
    session.environment = client::process_environment;
    session.screen = probe_terminal(STDERR_FILENO, session.environment);
    session.socket = client::socket_path(options.socket, session.environment);
    session.format = options.format;
    return session;
}

void print_json(const boost::json::object& object) {
    print_result(boost::json::serialize(object) + "\n");
}

} // namespace wharf::cli
