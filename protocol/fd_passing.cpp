#include "protocol/fd_passing.hpp"

#include "protocol/frame.hpp"

#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <sys/socket.h>
#include <sys/uio.h>
#include <utility>

namespace wharf::protocol {

namespace {

constexpr std::size_t control_size = CMSG_SPACE(descriptor_limit * sizeof(int));

/// Aligned as the kernel's headers of ancillary data need it.
struct Control {
    alignas(cmsghdr) std::array<char, control_size> bytes;
};

void attach(msghdr& message, Control& control, std::span<const UniqueFd> descriptors) {
    const std::size_t size = descriptors.size() * sizeof(int);
    message.msg_control = control.bytes.data();
    message.msg_controllen = CMSG_SPACE(size);
    std::memset(control.bytes.data(), 0, CMSG_SPACE(size));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(size);
    unsigned char* place = CMSG_DATA(header);
    for (const UniqueFd& descriptor : descriptors) {
        const int fd = descriptor.value();
        std::memcpy(place, &fd, sizeof fd);
        place += sizeof fd;
    }
}

std::vector<UniqueFd> adopt(msghdr& message) {
    std::vector<UniqueFd> taken;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            taken.emplace_back(adopt_fd, fd);
        }
    }
    return taken;
}

/// Repeats a call that a signal interrupted.
template <typename Function>
IoResult retry(Function function) {
    while (true) {
        const ssize_t result = function();
        if (result >= 0) {
            return {static_cast<std::size_t>(result), 0};
        }
        if (errno != EINTR) {
            return {0, errno};
        }
    }
}

} // namespace

IoResult send_some(int socket, std::string_view bytes, std::span<const UniqueFd> descriptors) {
    assert(!bytes.empty() && descriptors.size() <= descriptor_limit);
    iovec part{const_cast<char*>(bytes.data()), bytes.size()}; // sendmsg only reads it
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    Control control;
    if (!descriptors.empty()) {
        attach(message, control, descriptors);
    }
    return retry([&] { return ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT); });
}

IoResult receive_some(int socket, std::span<char> buffer, std::vector<UniqueFd>* descriptors) {
    iovec part{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    Control control;
    if (descriptors != nullptr) {
        message.msg_control = control.bytes.data();
        message.msg_controllen = control.bytes.size();
    }
    const IoResult result =
        retry([&] { return ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC); });
    if (result.error_number == 0 && descriptors != nullptr) {
        std::vector<UniqueFd> taken = adopt(message);
        if ((message.msg_flags & MSG_CTRUNC) == 0) {
            std::move(taken.begin(), taken.end(), std::back_inserter(*descriptors));
        }
    }
    return result;
}

} // namespace wharf::protocol
