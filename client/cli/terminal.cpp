#include "client/cli/terminal.hpp"

#include <algorithm>
#include <sys/ioctl.h>
#include <unistd.h>

namespace wharf::cli {

namespace {

bool locale_is_utf8(const Environment& environment) {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        if (auto value = non_empty(environment, name)) {
            std::erase(*value, '-');
            std::ranges::transform(*value, value->begin(), [](char c) {
                return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
            });
            return value->find("utf8") != std::string::npos;
        }
    }
    return false;
}

} // namespace

Terminal probe_terminal(int fd, const Environment& environment) {
    Terminal terminal;
    terminal.interactive = ::isatty(fd) == 1 && environment("TERM").value_or("dumb") != "dumb";
    terminal.color = terminal.interactive && !non_empty(environment, "NO_COLOR");
    terminal.utf8 = locale_is_utf8(environment);
    return terminal;
}

std::optional<std::size_t> terminal_columns(int fd) {
    winsize size{};
    const bool known = ::isatty(fd) == 1 && ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? std::optional<std::size_t>{size.ws_col} : std::nullopt;
}

ViewStyle view_style(int fd, const Terminal& terminal) {
    ViewStyle style;
    style.color = terminal.color;
    style.utf8 = terminal.utf8;
    winsize size{};
    if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        // The last column stays free: some terminals wrap as soon as it is written.
        style.width = std::max<std::size_t>(size.ws_col, 2) - 1;
        style.height = size.ws_row;
    }
    return style;
}

} // namespace wharf::cli
