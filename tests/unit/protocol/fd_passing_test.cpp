#include "protocol/fd_passing.hpp"
#include "protocol/frame.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

using wharf::UniqueFd;
using wharf::protocol::descriptor_limit;
using wharf::protocol::receive_some;
using wharf::protocol::send_some;

namespace {

struct Pair {
    UniqueFd a;
    UniqueFd b;
    Pair() {
        std::array<int, 2> fds{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
        a = UniqueFd{wharf::adopt_fd, fds[0]};
        b = UniqueFd{wharf::adopt_fd, fds[1]};
    }
};

UniqueFd file_with(std::string_view content) {
    UniqueFd fd{wharf::adopt_fd, ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
    REQUIRE(fd);
    REQUIRE(::write(fd.value(), content.data(), content.size()) ==
            static_cast<ssize_t>(content.size()));
    return fd;
}

std::string content_of(const UniqueFd& fd) {
    std::array<char, 64> buffer{};
    const ssize_t size = ::pread(fd.value(), buffer.data(), buffer.size(), 0);
    REQUIRE(size >= 0);
    return {buffer.data(), static_cast<std::size_t>(size)};
}

std::vector<UniqueFd> files(std::size_t count) {
    std::vector<UniqueFd> list;
    for (std::size_t i = 0; i < count; ++i) {
        list.emplace_back(wharf::adopt_fd, ::open("/dev/null", O_RDONLY | O_CLOEXEC));
    }
    return list;
}

/// How many descriptors this process has.
std::size_t open_descriptors() {
    std::size_t count = 0;
    for (int fd = 0; fd < 1024; ++fd) {
        struct stat status{};
        count += ::fstat(fd, &status) == 0 ? 1U : 0U;
    }
    return count;
}

} // namespace

TEST_CASE("descriptors arrive in order, close-on-exec, and are the same files") {
    const Pair pair;
    std::vector<UniqueFd> sent;
    sent.push_back(file_with("first"));
    sent.push_back(file_with("second"));
    CHECK(send_some(pair.a.value(), "text", sent).bytes == 4);
    std::array<char, 64> buffer{};
    std::vector<UniqueFd> received;
    const auto result = receive_some(pair.b.value(), buffer, &received);
    CHECK(result.bytes == 4);
    REQUIRE(received.size() == 2);
    CHECK(content_of(received[0]) == "first");
    CHECK(content_of(received[1]) == "second");
    CHECK((::fcntl(received[0].value(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("as many descriptors as the kernel allows go at once") {
    const Pair pair;
    const auto sent = files(descriptor_limit);
    CHECK(send_some(pair.a.value(), "x", sent).error_number == 0);
    std::array<char, 8> buffer{};
    std::vector<UniqueFd> received;
    receive_some(pair.b.value(), buffer, &received);
    CHECK(received.size() == descriptor_limit);
}

TEST_CASE("who gives no list gets no descriptors") {
    const Pair pair;
    const auto sent = files(3);
    REQUIRE(send_some(pair.a.value(), "x", sent).bytes == 1);
    const std::size_t before = open_descriptors();
    std::array<char, 8> buffer{};
    CHECK(receive_some(pair.b.value(), buffer, nullptr).bytes == 1);
    CHECK(open_descriptors() == before);
}

TEST_CASE("a part of the descriptors is worth none of them") {
    const Pair pair;
    const auto sent = files(8);
    REQUIRE(send_some(pair.a.value(), "x", sent).bytes == 1);
    rlimit old{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &old) == 0);
    const UniqueFd next{wharf::adopt_fd, ::dup(0)};
    rlimit tight = old;
    tight.rlim_cur = static_cast<rlim_t>(next.value()) + 4; // room for some of the eight
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
    const std::size_t before = open_descriptors();
    std::array<char, 8> buffer{};
    std::vector<UniqueFd> received;
    const auto result = receive_some(pair.b.value(), buffer, &received);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &old) == 0);
    CHECK(result.bytes == 1);
    CHECK(received.empty());
    CHECK(open_descriptors() == before);
}

TEST_CASE("a socket that is not ready or has no peer is told apart") {
    Pair pair;
    std::array<char, 8> buffer{};
    CHECK(receive_some(pair.b.value(), buffer, nullptr).error_number == EAGAIN);
    const std::string much(1 << 20, 'x');
    std::size_t sent = 0;
    while (true) {
        const auto result = send_some(pair.a.value(), much);
        if (result.error_number != 0) {
            CHECK(result.error_number == EAGAIN);
            break;
        }
        sent += result.bytes;
    }
    CHECK(sent > 0);
    pair.b.reset();
    const int error = send_some(pair.a.value(), "x").error_number; // and no SIGPIPE
    CHECK((error == EPIPE || error == ECONNRESET));
}

TEST_CASE("the end of the stream is zero bytes without an error") {
    Pair pair;
    pair.a.reset();
    std::array<char, 8> buffer{};
    const auto result = receive_some(pair.b.value(), buffer, nullptr);
    CHECK(result.bytes == 0);
    CHECK(result.error_number == 0);
}
