#include "client/cli/daemon.hpp"

#include "client/cli/failure.hpp"
#include "client/cli/interrupts.hpp"
#include "client/cli/json_fields.hpp"
#include "protocol/fd_passing.hpp"
#include "protocol/frame.hpp"
#include "protocol/message.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace wharf::cli {

namespace json = boost::json;

struct Daemon::Link {
    std::string path;
    UniqueFd socket;
    protocol::FrameReader reader;

    void wait(short events) {
        pollfd p{socket.value(), events, 0};
        ::poll(&p, 1, -1);
        Interrupts::check();
    }
    void send(const protocol::Call& call) {
        const std::string text = protocol::encode(call);
        for (std::string_view rest = text; !rest.empty();) {
            const auto io = protocol::send_some(socket.value(), rest);
            if (io.error_number == EAGAIN) {
                wait(POLLOUT);
            } else if (io.error_number != 0) {
                throw no_daemon(path, io.error_number);
            }
            rest.remove_prefix(io.bytes);
        }
    }
    protocol::Frame receive() {
        for (;;) {
            if (auto frame = reader.next().value()) {
                return std::move(*frame);
            }
            std::array<char, 65536> buffer{};
            std::vector<UniqueFd> descriptors;
            wait(POLLIN);
            const auto io = protocol::receive_some(socket.value(), buffer, &descriptors);
            Interrupts::check();
            if (io.error_number == EAGAIN) {
                continue;
            }
            if (io.error_number != 0 || io.bytes == 0) {
                throw no_daemon(path, io.error_number ? io.error_number : ECONNRESET);
            }
            reader.append({buffer.data(), io.bytes}, std::move(descriptors));
        }
    }
    protocol::Reply reply(std::string_view method, std::vector<UniqueFd>* descriptors = nullptr) {
        protocol::Frame frame = receive();
        protocol::Reply reply = protocol::decode_reply(frame.text).value();
        if (!reply.error.empty()) {
            throw remote_failure(method, reply.error, reply.parameters);
        }
        if (descriptors) {
            *descriptors = std::move(frame.descriptors);
        }
        return reply;
    }
};

std::string choose_socket(const std::optional<std::string>& option,
                          const Environment& environment) {
    if (option) {
        return *option;
    }
    return non_empty(environment, "WHARF_SOCKET").value_or("/run/wharf/wharfd.sock");
}

Daemon::Daemon(const std::string& socket) : link_{std::make_unique<Link>()} {
    link_->path = socket;
    link_->socket = UniqueFd{adopt_fd, ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, socket.data(),
                std::min(socket.size(), sizeof address.sun_path - 1));
    if (::connect(link_->socket.value(), reinterpret_cast<sockaddr*>(&address), sizeof address) !=
        0) {
        throw no_daemon(socket, errno);
    }
    Interrupts::break_off(link_->socket.value());
}

Daemon::~Daemon() {
    Interrupts::break_off(-1);
}

json::object Daemon::call(std::string_view method, json::object parameters) {
    link_->send({std::string{method}, std::move(parameters)});
    return link_->reply(method).parameters;
}

void Daemon::stream(std::string_view method, json::object parameters,
                    const std::function<void(const json::object&)>& on_reply) {
    protocol::Call call{std::string{method}, std::move(parameters)};
    call.more = true;
    link_->send(call);
    for (;;) {
        const protocol::Reply reply = link_->reply(method);
        on_reply(reply.parameters);
        if (!reply.continues) {
            return;
        }
    }
}

UniqueFd Daemon::open_file(json::object parameters) {
    const std::string method = "org.wharf.Downloads.Open";
    link_->send({method, std::move(parameters)});
    std::vector<UniqueFd> descriptors;
    const auto reply = link_->reply(method, &descriptors);
    const auto index = size_member(reply.parameters, "descriptor");
    if (index >= descriptors.size()) {
        throw Error{ErrorKind::protocol, "the daemon sent no descriptor"};
    }
    return std::move(descriptors[index]);
}

} // namespace wharf::cli
