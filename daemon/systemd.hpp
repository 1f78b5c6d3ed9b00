#pragma once

#include "base/unique_fd.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What the daemon and the service manager tell each other (sd_notify(3), sd_listen_fds(3)).
/// Without a manager nothing is said and nothing found. Any thread, except where said.
namespace wharf::systemd {

/// Clients can be served from now on.
void notify_ready();

/// One line for `systemctl status`.
void notify_status(std::string_view text);

/// A reload has begun; notify_ready() ends it.
void notify_reloading();

void notify_stopping();

/// We are alive: to be said on the control thread, every watchdog_period().
void notify_watchdog();

/// How often notify_watchdog() is wanted: half of what the unit allows; none without a watchdog.
std::optional<std::chrono::microseconds> watchdog_period();

/// The sockets that were opened for us. Takes them over and forgets the variables that named them;
/// so call it once, before other threads run. Throws an invalid_request Error when one is not a
/// listening Unix stream socket.
std::vector<UniqueFd> listening_sockets();

/// Whether there is a journal that takes entries.
bool has_journal();

/// Hands an entry to the journal: names of fields, in capitals, and their values, which may hold
/// anything. May block for a moment. Throws a storage Error when that fails.
void journal_send(const std::vector<std::pair<std::string_view, std::string>>& fields);

} // namespace wharf::systemd
