#include "daemon/net/tcp_stream.hpp"

#include <cassert>
#include <cerrno>

namespace wharf::net {

Awaitable<std::size_t> TcpStream::read_some(std::span<std::byte> buffer, Deadline deadline) {
    assert(!buffer.empty());
    for (;;) {
        const ssize_t count = socket_.receive(buffer);
        const int error_number = errno;
        if (count >= 0) {
            if (socket_.owes_turn()) {
                co_await socket_.yield();
            }
            co_return static_cast<std::size_t>(count);
        }
        if (error_number != EAGAIN && error_number != EWOULDBLOCK) {
            throw socket_.lost("reading from", error_number);
        }
        co_await socket_.wait_readable(deadline);
    }
}

Awaitable<std::size_t> TcpStream::write_some(std::string_view data, Deadline deadline) {
    assert(!data.empty());
    for (;;) {
        const ssize_t count = socket_.send(data);
        const int error_number = errno;
        if (count >= 0) {
            if (socket_.owes_turn()) {
                co_await socket_.yield();
            }
            co_return static_cast<std::size_t>(count);
        }
        if (error_number != EAGAIN && error_number != EWOULDBLOCK) {
            throw socket_.lost("sending to", error_number);
        }
        co_await socket_.wait_writable(deadline);
    }
}

} // namespace wharf::net
