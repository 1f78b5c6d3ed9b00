#pragma once

#include "base/unique_fd.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace wharf::test {

/// Stands between a file and all who read from it: the kernel asks before each read (fanotify), and
/// one of them, by default the first, waits until `held` has returned. Needs root; says so where it
/// cannot be had.
class ReadGate {
  public:
    ReadGate(const std::filesystem::path& file, std::function<void()> held, int which = 1)
        : held_{std::move(held)}, which_{which},
          asks_{adopt_fd, ::fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY)},
          stop_{adopt_fd, ::eventfd(0, EFD_CLOEXEC)} {
        if (!asks_ || ::fanotify_mark(asks_.value(), FAN_MARK_ADD, FAN_ACCESS_PERM, AT_FDCWD,
                                      file.c_str()) != 0) {
            MESSAGE("not run: the kernel does not let us watch reads");
            return;
        }
        thread_ = std::thread{[this] { answer(); }};
    }
    ReadGate(const ReadGate&) = delete;
    ReadGate& operator=(const ReadGate&) = delete;
    ~ReadGate() {
        if (thread_.joinable()) {
            ::eventfd_write(stop_.value(), 1);
            thread_.join();
        }
    }
    explicit operator bool() const noexcept { return thread_.joinable(); }
    int reads() const noexcept { return reads_; }

  private:
    void answer() {
        std::array<pollfd, 2> waiting{{{asks_.value(), POLLIN, 0}, {stop_.value(), POLLIN, 0}}};
        while (::poll(waiting.data(), waiting.size(), -1) > 0 && waiting[1].revents == 0) {
            fanotify_event_metadata event{};
            if (::read(asks_.value(), &event, sizeof event) < 0) {
                continue;
            }
            if (++reads_ == which_) {
                held_();
            }
            const fanotify_response allow{event.fd, FAN_ALLOW};
            [[maybe_unused]] const auto told = ::write(asks_.value(), &allow, sizeof allow);
            ::close(event.fd);
        }
    }

    std::function<void()> held_;
    int which_;
    UniqueFd asks_;
    UniqueFd stop_;
    std::atomic<int> reads_ = 0;
    std::thread thread_;
};

} // namespace wharf::test
