#include "client/cli/daemon.hpp"

#include "base/error.hpp"
#include "client/cli/failure.hpp"
#include "client/cli/interrupts.hpp"
#include "client/cli/json_fields.hpp"
#include "client/lib/trust.hpp"

#include <chrono>

namespace wharf::cli {

namespace {

/// For questions about the daemon itself: one that is stopped must not hold a script up for ever.
constexpr std::chrono::seconds answer_limit{30};

/// Runs something that talks to the daemon, and turns what it throws into a Failure. After a signal
/// the connection is shut down, so that whatever failed, failed for that.
template <typename Function>
auto translated(std::string_view method, Function&& function) {
    try {
        return function();
    } catch (const client::RemoteError& error) {
        throw remote_failure(method, error);
    } catch (const client::DaemonUnreachable& error) {
        Interrupts::check();
        throw Failure{error};
    }
}

} // namespace

Daemon::Daemon(const std::string& socket)
    : socket_{socket}, connection_{translated("", [&] { return client::Connection{socket}; })} {
    Interrupts::break_off(connection_.fd());
}

Daemon::~Daemon() {
    Interrupts::break_off(-1);
}

boost::json::object Daemon::call(std::string_view method, boost::json::object parameters) {
    guard_token(parameters);
    client::CallOptions options;
    options.silence_limit = answer_limit;
    return translated(method, [&] {
        return connection_.call(method, std::move(parameters), std::move(options)).parameters;
    });
}

void Daemon::gather(std::string_view method, boost::json::object parameters,
                    const std::function<void(const boost::json::object&)>& on_part) {
    client::CallOptions options;
    options.silence_limit = answer_limit;
    call_more(method, std::move(parameters), on_part, std::move(options));
}

void Daemon::stream(std::string_view method, boost::json::object parameters,
                    const std::function<void(const boost::json::object&)>& on_reply) {
    call_more(method, std::move(parameters), on_reply, {});
}

void Daemon::call_more(std::string_view method, boost::json::object parameters,
                       const std::function<void(const boost::json::object&)>& on_reply,
                       client::CallOptions options) {
    guard_token(parameters);
    translated(method, [&] {
        connection_.call_more(
            method, std::move(parameters),
            [&](const client::Reply& reply) { on_reply(reply.parameters); }, std::move(options));
    });
}

boost::json::object Daemon::call_with_files(std::string_view method, boost::json::object parameters,
                                            std::vector<UniqueFd> files) {
    guard_token(parameters);
    client::CallOptions options;
    options.descriptors = std::move(files);
    return translated(method, [&] {
        return connection_.call(method, std::move(parameters), std::move(options)).parameters;
    });
}

UniqueFd Daemon::open_file(boost::json::object parameters) {
    static constexpr std::string_view method = "org.wharf.Downloads.Open";
    guard_token(parameters);
    return translated(method, [&] {
        client::Reply reply = connection_.call(method, std::move(parameters));
        const std::uint64_t index = size_member(reply.parameters, "descriptor");
        if (index >= reply.descriptors.size()) {
            throw Error{ErrorKind::protocol, "the daemon did not send the file's descriptor"};
        }
        return std::move(reply.descriptors[index]);
    });
}

void Daemon::guard_token(const boost::json::object& parameters) const {
    if (parameters.contains("token")) {
        client::require_trusted_listener(connection_.fd(), socket_);
    }
}

} // namespace wharf::cli
