#include "base/error.hpp"
#include "daemon/systemd.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace systemd = wharf::systemd;
using namespace std::chrono_literals;

namespace {

sockaddr_un address_of(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    return address;
}

wharf::UniqueFd bound(const std::filesystem::path& path, int type) {
    wharf::UniqueFd socket{wharf::adopt_fd, ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)};
    const auto address = address_of(path);
    REQUIRE(::bind(socket.value(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
            0);
    return socket;
}

/// Stands for the service manager: receives what the daemon tells it.
class Manager {
  public:
    Manager() { ::setenv("NOTIFY_SOCKET", (folder_ / "notify").c_str(), 1); }
    ~Manager() { ::unsetenv("NOTIFY_SOCKET"); }

    std::string heard() {
        std::string text(4096, '\0');
        const auto size = ::recv(socket_.value(), text.data(), text.size(), MSG_DONTWAIT);
        text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
        return text;
    }

  private:
    wharf::test::TempDir folder_;
    wharf::UniqueFd socket_ = bound(folder_ / "notify", SOCK_DGRAM);
};

/// Runs `check` in a child that was started as the manager would, `fds` being its descriptors from
/// 3 on: they replace whatever was there, which a process cannot do to itself in a test.
bool activated(std::initializer_list<int> fds, const std::function<bool()>& check) {
    const pid_t child = ::fork();
    if (child == 0) {
        int next = 100;
        for (const int fd : fds) {
            ::dup2(fd, next++); // out of the way first: fds may lie among the targets
        }
        for (int i = 0; i < static_cast<int>(fds.size()); ++i) {
            ::dup2(100 + i, 3 + i);
        }
        ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
        ::setenv("LISTEN_FDS", std::to_string(fds.size()).c_str(), 1);
        ::_exit(check() ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool refuses_sockets() {
    try {
        systemd::listening_sockets();
        return false;
    } catch (const wharf::Error& error) {
        return error.kind() == wharf::ErrorKind::invalid_request;
    }
}

} // namespace

TEST_CASE("the manager hears each step") {
    Manager manager;
    systemd::notify_ready();
    CHECK(manager.heard() == "READY=1");
    systemd::notify_status("3 jobs\nREADY=0");
    CHECK(manager.heard() == "STATUS=3 jobs READY=0");
    systemd::notify_stopping();
    CHECK(manager.heard() == "STOPPING=1");
    systemd::notify_watchdog();
    CHECK(manager.heard() == "WATCHDOG=1");
}

TEST_CASE("a reload tells when it began, on the monotonic clock") {
    Manager manager;
    timespec before{};
    ::clock_gettime(CLOCK_MONOTONIC, &before);
    systemd::notify_reloading();
    const std::string text = manager.heard();
    const std::string start = "RELOADING=1\nMONOTONIC_USEC=";
    REQUIRE(text.starts_with(start));
    const auto said = std::stoll(text.substr(start.size()));
    CHECK(said >= before.tv_sec * 1'000'000LL);
    CHECK(said <= (before.tv_sec + 60) * 1'000'000LL);
}

TEST_CASE("without a manager, or with one that is gone, nothing happens") {
    ::unsetenv("NOTIFY_SOCKET");
    systemd::notify_ready();
    ::setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
    systemd::notify_ready();
    ::unsetenv("NOTIFY_SOCKET");
    CHECK(systemd::listening_sockets().empty());
}

TEST_CASE("the watchdog is fed twice as often as it asks") {
    ::unsetenv("WATCHDOG_USEC");
    CHECK_FALSE(systemd::watchdog_period());
    ::setenv("WATCHDOG_USEC", "30000000", 1);
    CHECK(systemd::watchdog_period() == 15s);
    ::setenv("WATCHDOG_PID", "1", 1); // meant for another process
    CHECK_FALSE(systemd::watchdog_period());
    ::unsetenv("WATCHDOG_PID");
    ::unsetenv("WATCHDOG_USEC");
}

TEST_CASE("sockets that were opened for us are taken over once") {
    const wharf::test::TempDir folder;
    const auto first = bound(folder / "first", SOCK_STREAM);
    const auto second = bound(folder / "second", SOCK_STREAM);
    REQUIRE(::listen(first.value(), 1) == 0);
    REQUIRE(::listen(second.value(), 1) == 0);
    CHECK(activated({first.value(), second.value()}, [] {
        const auto sockets = systemd::listening_sockets();
        return sockets.size() == 2 && sockets[0].value() == 3 && sockets[1].value() == 4 &&
               (::fcntl(3, F_GETFD) & FD_CLOEXEC) != 0 && ::getenv("LISTEN_FDS") == nullptr &&
               systemd::listening_sockets().empty();
    }));
}

TEST_CASE("anything but a listening Unix stream socket is refused") {
    const wharf::test::TempDir folder;
    const auto datagrams = bound(folder / "datagrams", SOCK_DGRAM);
    const auto deaf = bound(folder / "deaf", SOCK_STREAM); // bound, but not listening
    const wharf::UniqueFd network{wharf::adopt_fd,
                                  ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    REQUIRE(::listen(network.value(), 1) == 0); // the kernel chooses the port
    const auto good = bound(folder / "good", SOCK_STREAM);
    REQUIRE(::listen(good.value(), 1) == 0);
    CHECK(activated({datagrams.value()}, refuses_sockets));
    CHECK(activated({deaf.value()}, refuses_sockets));
    CHECK(activated({network.value()}, refuses_sockets));
    CHECK(activated({good.value(), deaf.value()}, refuses_sockets));
}
