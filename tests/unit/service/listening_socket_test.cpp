#include "base/error.hpp"
#include "daemon/service/listening_socket.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

using wharf::ErrorKind;
using wharf::UniqueFd;
using wharf::service::ListeningSocket;

namespace {

/// A folder of its own, removed at the end.
struct Folder {
    std::string path = "/tmp/wharf-socket-XXXXXX";
    Folder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
    ~Folder() { std::filesystem::remove_all(path); }
    bool is_empty() const { return std::filesystem::is_empty(path); }
};

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
}

bool can_connect(const std::string& path) {
    const UniqueFd fd{wharf::adopt_fd, ::socket(AF_UNIX, SOCK_STREAM, 0)};
    const auto address = address_of(path);
    return ::connect(fd.value(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

/// A bound socket of another program; `listening` or left over.
UniqueFd foreign(const std::string& path, int type = SOCK_STREAM, bool listening = true) {
    UniqueFd fd{wharf::adopt_fd, ::socket(AF_UNIX, type, 0)};
    const auto address = address_of(path);
    REQUIRE(::bind(fd.value(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    if (listening && type == SOCK_STREAM) {
        REQUIRE(::listen(fd.value(), 0) == 0);
    }
    return fd;
}

mode_t mode_of(const std::string& path) {
    struct stat status{};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

ErrorKind failure(const std::string& path) {
    try {
        const auto socket = ListeningSocket::open({path, 0666, 0755});
    } catch (const wharf::Error& error) {
        CHECK_FALSE(error.message().empty());
        return error.kind();
    }
    FAIL("it listens on " << path);
    return ErrorKind::internal;
}

} // namespace

TEST_CASE("the socket has its mode whatever the umask, and its folders are made") {
    const Folder folder;
    const std::string path = folder.path + "/run/wharf/s";
    for (const mode_t mask : {0022U, 0077U, 0777U, 0000U}) {
        CAPTURE(mask);
        const mode_t before = ::umask(mask);
        {
            const auto socket = ListeningSocket::open({path, 0660, 0751});
            CHECK(mode_of(path) == 0660);
            CHECK(mode_of(folder.path + "/run/wharf") == 0751);
            CHECK(mode_of(path + ".lock") <= 0600);
            CHECK(can_connect(path));
        }
        ::umask(before);
        CHECK(std::filesystem::is_empty(folder.path + "/run/wharf"));
        std::filesystem::remove_all(folder.path + "/run");
    }
}

TEST_CASE("folders that exist keep their mode") {
    const Folder folder;
    REQUIRE(::chmod(folder.path.c_str(), 0710) == 0);
    const auto socket = ListeningSocket::open({folder.path + "/s", 0600, 0755});
    CHECK(mode_of(folder.path) == 0710);
}

TEST_CASE("a socket that nobody listens on any more is replaced") {
    const Folder folder;
    const std::string path = folder.path + "/s";
    SUBCASE("of a program that has ended") {
        foreign(path).reset();
    }
    SUBCASE("with the lock file that it left behind") {
        foreign(path).reset();
        std::ofstream{path + ".lock"} << "";
    }
    CHECK_FALSE(can_connect(path));
    {
        const auto socket = ListeningSocket::open({path, 0666, 0755});
        CHECK(can_connect(path));
    }
    CHECK(folder.is_empty());
}

TEST_CASE("a second daemon is refused and the first goes on") {
    const Folder folder;
    const std::string path = folder.path + "/s";
    const auto first = ListeningSocket::open({path, 0666, 0755});
    CHECK(failure(path) == ErrorKind::unavailable);
    CHECK(can_connect(path));
}

TEST_CASE("another program's socket is left alone") {
    const Folder folder;
    const std::string path = folder.path + "/s";
    UniqueFd other;
    std::vector<UniqueFd> waiting;
    SUBCASE("that answers") {
        other = foreign(path);
    }
    SUBCASE("whose queue is full") {
        other = foreign(path);
        const auto address = address_of(path);
        for (int i = 0; i < 2; ++i) {
            waiting.emplace_back(wharf::adopt_fd,
                                 ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
            ::connect(waiting.back().value(), reinterpret_cast<const sockaddr*>(&address),
                      sizeof address);
        }
    }
    SUBCASE("that is of another type") {
        other = foreign(path, SOCK_DGRAM);
    }
    struct stat before{};
    REQUIRE(::lstat(path.c_str(), &before) == 0);
    CHECK(failure(path) == ErrorKind::unavailable);
    struct stat after{};
    REQUIRE(::lstat(path.c_str(), &after) == 0);
    CHECK(before.st_ino == after.st_ino);
    CHECK_FALSE(std::filesystem::exists(path + ".lock"));
}

TEST_CASE("what is not a socket is never removed") {
    const Folder folder;
    const std::string path = folder.path + "/s";
    SUBCASE("a file") {
        std::ofstream{path} << "precious";
    }
    SUBCASE("a folder") {
        REQUIRE(::mkdir(path.c_str(), 0700) == 0);
    }
    SUBCASE("a link to a socket") {
        const UniqueFd other = foreign(folder.path + "/other");
        REQUIRE(::symlink("other", path.c_str()) == 0);
    }
    CHECK(failure(path) == ErrorKind::invalid_request);
    CHECK(std::filesystem::exists(std::filesystem::symlink_status(path)));
}

TEST_CASE("paths that cannot be") {
    const Folder folder;
    CHECK(failure("") == ErrorKind::invalid_request);
    CHECK(failure(folder.path + "/" + std::string(120, 'x')) == ErrorKind::invalid_request);
    std::ofstream{folder.path + "/file"} << "";
    CHECK(failure(folder.path + "/file/s") == ErrorKind::storage);
}

TEST_CASE("the end takes away our own socket only") {
    const Folder folder;
    const std::string path = folder.path + "/s";
    UniqueFd other;
    {
        auto socket = ListeningSocket::open({path, 0666, 0755});
        SUBCASE("replaced behind our back") {
            REQUIRE(::unlink(path.c_str()) == 0);
            other = foreign(path);
        }
        SUBCASE("closed twice, and moved") {
            socket.close();
            socket.close();
            CHECK(folder.is_empty());
            auto next = ListeningSocket::open({path, 0666, 0755});
            const auto moved = std::move(next);
            CHECK(can_connect(path));
        }
    }
    CHECK(std::filesystem::exists(path) == other.is_open());
}

TEST_CASE("a socket that is handed over is used and left where it is") {
    const Folder folder;
    const std::string path = folder.path + "/s";
    UniqueFd given = foreign(path);
    {
        const auto socket = ListeningSocket::adopt(std::move(given));
        CHECK((::fcntl(socket.fd(), F_GETFL) & O_NONBLOCK) != 0);
        CHECK((::fcntl(socket.fd(), F_GETFD) & FD_CLOEXEC) != 0);
        CHECK(can_connect(path));
    }
    CHECK(std::filesystem::exists(path));
}

TEST_CASE("only a listening Unix stream socket can be handed over") {
    const Folder folder;
    CHECK_THROWS_AS(ListeningSocket::adopt(UniqueFd{}), wharf::Error);
    CHECK_THROWS_AS(ListeningSocket::adopt(foreign(folder.path + "/a", SOCK_STREAM, false)),
                    wharf::Error);
    CHECK_THROWS_AS(ListeningSocket::adopt(foreign(folder.path + "/b", SOCK_DGRAM)), wharf::Error);
    CHECK_THROWS_AS(
        ListeningSocket::adopt(UniqueFd{wharf::adopt_fd, ::open("/dev/null", O_RDONLY)}),
        wharf::Error);
}
