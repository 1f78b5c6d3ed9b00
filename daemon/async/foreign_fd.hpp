#pragma once

#include "base/unique_fd.hpp"
#include "daemon/async/foreign_calls.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <sys/types.h>

namespace wharf::async {

class ForeignFd;

/// Closes descriptors that accounts handed to us. Closing may hang for as long as the file's system
/// likes (FUSE), so ForeignCalls does it: an account's own hanging files hold up nobody else. What
/// is left when this ends is left to the kernel. Control thread.
class FdCloser {
  public:
    /// As close(2).
    using Close = std::function<int(int)>;

    /// Requires: the executor's loop outlives this.
    explicit FdCloser(Executor executor);
    FdCloser(Executor executor, Close close);
    ~FdCloser();

    ForeignFd own(UniqueFd fd, uid_t uid) const;

    /// How many of an account's are given up and still open.
    std::size_t open(uid_t uid) const;

  private:
    friend ForeignFd;
    struct State;

    void begin(uid_t uid);

    std::shared_ptr<State> state_; ///< shared with the descriptors
    ForeignCalls calls_;
};

/// Owns a descriptor that an account handed to us, and leaves its closing to the closer. Any
/// thread.
class ForeignFd {
  public:
    ForeignFd() noexcept = default;
    ForeignFd(ForeignFd&& other) noexcept = default;
    ForeignFd& operator=(ForeignFd&& other) noexcept;
    ~ForeignFd() { reset(); }

    /// One of our own, which closes at once.
    explicit ForeignFd(UniqueFd fd) noexcept : fd_{std::move(fd)} {}

    explicit operator bool() const noexcept { return fd_.is_open(); }
    int value() const noexcept { return fd_.value(); }

    /// Gives it up.
    void reset() noexcept;

    /// Closes it here: for threads that may hang.
    void close_here() noexcept { fd_.reset(); }

    /// For a file of which it is known by now that it does not hang.
    UniqueFd release() noexcept { return std::move(fd_); }

  private:
    friend FdCloser;
    ForeignFd(UniqueFd fd, uid_t uid, std::shared_ptr<FdCloser::State> closer) noexcept
        : fd_{std::move(fd)}, uid_{uid}, closer_{std::move(closer)} {}

    UniqueFd fd_;
    uid_t uid_ = 0;
    std::shared_ptr<FdCloser::State> closer_; ///< null: closed at once
};

} // namespace wharf::async
