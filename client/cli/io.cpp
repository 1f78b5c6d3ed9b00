#include "client/cli/io.hpp"

#include "base/error.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace wharf::cli {

namespace {

/// Writes until all is out or an error comes, which is returned (0: none).
int write_until_error(int fd, std::string_view text) noexcept {
    while (!text.empty()) {
        const ssize_t n = ::write(fd, text.data(), text.size());
        if (n >= 0) {
            text.remove_prefix(static_cast<std::size_t>(n));
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

} // namespace

void reserve_standard_descriptors() noexcept {
    // The lowest free number is used, so the three are filled in order. Opened the wrong way round:
    // writing to a standard output that was closed must still fail.
    for (const int fd : {0, 1, 2}) {
        if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            (void)::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
        }
    }
}

void write_all(int fd, std::string_view text) {
    if (const int error = write_until_error(fd, text); error != 0) {
        throw system_error("writing", error);
    }
}

void write_quietly(int fd, std::string_view text) noexcept {
    (void)write_until_error(fd, text);
}

void print_result(std::string_view text) {
    if (const int error = write_until_error(STDOUT_FILENO, text); error != 0) {
        throw system_error("writing to standard output", error);
    }
}

} // namespace wharf::cli
