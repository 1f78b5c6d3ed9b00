#pragma once

#include "client/lib/socket_path.hpp"

#include <string>
#include <sys/types.h>

namespace wharf::client {

/// Whether somebody who listens at the socket `path` may be told secrets. Root and the user himself
/// know them or can have them. Another account is the daemon's if it owns the folder of the socket
/// right below /run, where only root makes folders, or if WHARF_DAEMON_USER names it (by name or
/// number). Anybody else may have put a socket of his own where the user looks for one. `run`
/// stands for /run.
bool is_trusted(uid_t listener, const std::string& path,
                const Environment& environment = process_environment,
                const std::string& run = "/run");

/// Throws a forbidden Error unless whoever listens at the other end of a connected socket is
/// trusted. `path` is where it was connected to.
void require_trusted_listener(int socket, const std::string& path);

} // namespace wharf::client
