#include "daemon/systemd.hpp"

#include "base/error.hpp"
#include "base/log.hpp"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <sys/socket.h>
#include <sys/uio.h>
#include <system_error>
#include <unistd.h>

namespace wharf::systemd {

namespace {

void notify(const std::string& state) {
    if (const int result = sd_notify(0, state.c_str()); result < 0) {
        log::debug("daemon", "the service manager cannot be told: {}",
                   std::generic_category().message(-result));
    }
}

} // namespace

void notify_ready() {
    notify("READY=1");
}

void notify_status(std::string_view text) {
    std::string line{text};
    std::ranges::replace(line, '\n', ' '); // a new line would begin another assignment
    notify("STATUS=" + line);
}

void notify_reloading() {
    // Managers from version 253 on want to know when, to tell this reload from an earlier one; the
    // steady clock is CLOCK_MONOTONIC here.
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    notify(fmt::format("RELOADING=1\nMONOTONIC_USEC={}",
                       std::chrono::duration_cast<std::chrono::microseconds>(now).count()));
}

void notify_stopping() {
    notify("STOPPING=1");
}

void notify_watchdog() {
    notify("WATCHDOG=1");
}

std::optional<std::chrono::microseconds> watchdog_period() {
    std::uint64_t limit = 0;
    if (sd_watchdog_enabled(0, &limit) <= 0) {
        return std::nullopt;
    }
    return std::chrono::microseconds{limit / 2};
}

std::vector<UniqueFd> listening_sockets() {
    const int count = sd_listen_fds(1);
    if (count < 0) {
        throw system_error("taking over sockets from the service manager", -count);
    }
    std::vector<UniqueFd> sockets;
    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; ++fd) {
        sockets.emplace_back(adopt_fd, fd);
    }
    for (const auto& socket : sockets) {
        if (sd_is_socket_unix(socket.value(), SOCK_STREAM, 1, nullptr, 0) <= 0) {
            throw Error{ErrorKind::invalid_request,
                        fmt::format("descriptor {} from the service manager is not a listening "
                                    "Unix stream socket",
                                    socket.value()),
                        "the socket unit needs ListenStream= with a path"};
        }
    }
    return sockets;
}

bool has_journal() {
    return ::access("/run/systemd/journal/socket", W_OK) == 0; // systemd-journald.service(8)
}

void journal_send(const std::vector<std::pair<std::string_view, std::string>>& fields) {
    std::vector<std::string> texts;
    texts.reserve(fields.size());
    std::vector<iovec> parts;
    for (const auto& [name, value] : fields) {
        auto& text = texts.emplace_back(fmt::format("{}={}", name, value));
        parts.push_back({.iov_base = text.data(), .iov_len = text.size()});
    }
    // In parentheses it is no macro, which would add the lines of this file to every entry.
    if (const int result = (sd_journal_sendv)(parts.data(), static_cast<int>(parts.size()));
        result < 0) {
        throw system_error("writing to the journal", -result);
    }
}

} // namespace wharf::systemd
