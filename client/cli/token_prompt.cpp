#include "client/cli/token_prompt.hpp"

#include "base/scope_exit.hpp"
#include "client/cli/interrupts.hpp"
#include "client/cli/io.hpp"

#include <cerrno>
#include <optional>
#include <termios.h>
#include <unistd.h>

namespace wharf::cli {

namespace {

constexpr std::size_t longest_line = std::size_t{16} << 10;

/// Byte by byte: what follows the line belongs to whoever reads next.
std::string read_line(int fd) {
    std::string line;
    for (char c = 0; line.size() <= longest_line;) {
        const ssize_t n = ::read(fd, &c, 1);
        if (n < 0 && errno == EINTR) {
            Interrupts::check();
            continue;
        }
        if (n < 0) {
            throw system_error("reading the token", errno);
        }
        if (n == 0 || c == '\n') {
            return line;
        }
        line += c;
    }
    throw Error{ErrorKind::invalid_request, "what came is too long for a token"};
}

/// Shows nothing of what is typed until it is destroyed.
class Unseen {
  public:
    explicit Unseen(int fd) : fd_{fd} {
        termios silent{};
        if (::tcgetattr(fd_, &silent) != 0) {
            return;
        }
        before_ = silent;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(fd_, TCSAFLUSH, &silent);
    }
    Unseen(const Unseen&) = delete;
    Unseen& operator=(const Unseen&) = delete;
    ~Unseen() {
        if (before_) {
            ::tcsetattr(fd_, TCSAFLUSH, &*before_);
        }
    }

  private:
    int fd_;
    std::optional<termios> before_;
};

} // namespace

std::string read_secret_line(int fd, std::string_view prompt) {
    if (::isatty(fd) != 1) {
        return read_line(fd);
    }
    const Unseen unseen{fd};
    write_quietly(STDERR_FILENO, prompt);
    const ScopeExit end_line{[] { write_quietly(STDERR_FILENO, "\n"); }};
    return read_line(fd);
}

} // namespace wharf::cli
