#include "client/lib/connection.hpp"

#include "base/scope_exit.hpp"
#include "protocol/fd_passing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <system_error>
#include <utility>

namespace wharf::client {

namespace {

/// How long to wait for a daemon whose queue of new connections is full.
constexpr timeval connect_limit{10, 0};

std::string reason(int error_number) {
    return std::generic_category().message(error_number);
}

DaemonUnreachable unreachable(const std::string& path, int error_number) {
    const std::string message =
        fmt::format("the daemon cannot be reached at {}: {}", path, reason(error_number));
    if (error_number == EACCES || error_number == EPERM) {
        return {ErrorKind::forbidden, message,
                "ask the administrator to let you use it (usually by the group wharf)"};
    }
    return {ErrorKind::network, message,
            "start it with `systemctl start wharfd`, or with `wharfd --user` for yourself alone; "
            "WHARF_SOCKET names another socket"};
}

UniqueFd connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        throw unreachable(path, path.empty() ? ENOENT : ENAMETOOLONG);
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    UniqueFd fd{adopt_fd, ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!fd) {
        throw unreachable(path, errno);
    }
    // The only limit that connect() knows for a Unix socket; afterwards nothing of ours blocks.
    ::setsockopt(fd.value(), SOL_SOCKET, SO_SNDTIMEO, &connect_limit, sizeof connect_limit);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    while (::connect(fd.value(), generic, sizeof address) != 0) {
        if (errno != EINTR) {
            throw unreachable(path, errno);
        }
    }
    return fd;
}

} // namespace

Connection::Connection(const std::string& path) : Connection{connect_to(path), path} {}

Connection::Connection(UniqueFd socket, std::string name)
    : socket_{std::move(socket)}, name_{std::move(name)} {}

Reply Connection::call(std::string_view method, boost::json::object parameters,
                       CallOptions options) {
    ScopeExit close{[this] { socket_.reset(); }};
    send({std::string{method}, std::move(parameters), false, false, false}, options);
    Answer answer = receive(options);
    if (!answer.is_last()) {
        throw Error{ErrorKind::protocol, "the daemon announced answers that were not asked for"};
    }
    close.release();
    return checked(std::move(answer));
}

void Connection::call_more(std::string_view method, boost::json::object parameters,
                           const std::function<void(Reply)>& on_reply, CallOptions options) {
    ScopeExit close{[this] { socket_.reset(); }};
    send({std::string{method}, std::move(parameters), false, true, false}, options);
    bool last = false;
    while (!last) {
        Answer answer = receive(options);
        last = answer.is_last();
        if (last) {
            close.release();
        }
        on_reply(checked(std::move(answer)));
    }
}

void Connection::call_oneway(std::string_view method, boost::json::object parameters,
                             CallOptions options) {
    ScopeExit close{[this] { socket_.reset(); }};
    if (!send({std::string{method}, std::move(parameters), true, false, false}, options)) {
        lose(reason(EPIPE));
    }
    close.release();
}

bool Connection::send(protocol::Call call, const CallOptions& options) {
    const std::string text = protocol::encode(call);
    if (text.size() - 1 > protocol::message_limit) {
        throw Error{ErrorKind::invalid_request, "the call is longer than the daemon accepts"};
    }
    if (!socket_) {
        lose("the connection was closed before");
    }
    std::string_view rest = text;
    auto since = Clock::now();
    while (!rest.empty()) {
        const bool first = rest.size() == text.size();
        const protocol::IoResult result = protocol::send_some(
            socket_.value(), rest, first ? std::span{options.descriptors} : std::span<UniqueFd>{});
        if (result.error_number == EAGAIN) {
            wait(POLLOUT, options, since);
        } else if (result.error_number == EPIPE || result.error_number == ECONNRESET) {
            return false;
        } else if (result.error_number != 0) {
            lose(reason(result.error_number));
        } else {
            rest.remove_prefix(result.bytes);
            since = Clock::now();
        }
    }
    return true;
}

Connection::Answer Connection::receive(const CallOptions& options) {
    auto since = Clock::now();
    std::array<char, std::size_t{64} << 10> buffer; // written before it is read
    while (true) {
        if (std::optional<protocol::Frame> frame = reader_.next().value()) {
            return {protocol::decode_reply(frame->text).value(), std::move(frame->descriptors)};
        }
        std::vector<UniqueFd> descriptors;
        const protocol::IoResult result =
            protocol::receive_some(socket_.value(), buffer, &descriptors);
        if (result.error_number == EAGAIN) {
            wait(POLLIN, options, since);
        } else if (result.error_number != 0) {
            lose(reason(result.error_number));
        } else if (result.bytes == 0) {
            lose("it closed the connection");
        } else {
            since = Clock::now();
            reader_.append({buffer.data(), result.bytes}, std::move(descriptors));
        }
    }
}

Reply Connection::checked(Answer answer) {
    if (!answer.message.error.empty()) {
        throw RemoteError{std::move(answer.message.error), std::move(answer.message.parameters)};
    }
    return {std::move(answer.message.parameters), answer.message.continues,
            std::move(answer.descriptors)};
}

void Connection::wait(short events, const CallOptions& options, Clock::time_point since) {
    int limit = -1;
    if (options.silence_limit) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            since + *options.silence_limit - Clock::now() + std::chrono::milliseconds{1});
        if (left.count() <= 0) {
            lose("it does not answer");
        }
        limit =
            static_cast<int>(std::min<std::int64_t>(left.count(), std::numeric_limits<int>::max()));
    }
    std::array<pollfd, 2> polled{
        {{socket_.value(), events, 0}, {options.watched_fd, POLLIN, 0}}}; // -1 is passed over
    if (::poll(polled.data(), polled.size(), limit) < 0 && errno != EINTR) {
        lose(reason(errno));
    }
    if (polled[1].revents != 0 && options.on_watched) {
        options.on_watched();
    }
}

void Connection::lose(std::string_view why) const {
    throw DaemonUnreachable{ErrorKind::network,
                            fmt::format("lost the daemon at {}: {}", name_, why),
                            "look whether it is running, and call again"};
}

} // namespace wharf::client
