#pragma once

#include <unistd.h>
#include <utility>

namespace wharf {

/// Says that an `int` becomes owned: no plain number turns into ownership by accident.
struct AdoptFd {};
inline constexpr AdoptFd adopt_fd{};

/// Owns one file descriptor and closes it. A plain `int` elsewhere only borrows.
class UniqueFd {
  public:
    UniqueFd() noexcept = default;
    UniqueFd(AdoptFd, int fd) noexcept : fd_{fd} {}
    UniqueFd(UniqueFd&& other) noexcept : fd_{other.release()} {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) {
            reset();
            fd_ = other.release();
        }
        return *this;
    }
    ~UniqueFd() { reset(); }

    bool is_open() const noexcept { return fd_ >= 0; }
    explicit operator bool() const noexcept { return is_open(); }
    int value() const noexcept { return fd_; }
    int release() noexcept { return std::exchange(fd_, -1); }
    void reset() noexcept {
        if (fd_ >= 0) {
            ::close(std::exchange(fd_, -1));
        }
    }

  private:
    int fd_ = -1;
};

} // namespace wharf
