#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace wharf::client {

/// Looks a variable of the environment up.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;

/// The environment of this process.
std::optional<std::string> process_environment(std::string_view name);

/// The socket of the daemon to talk to: the one that was chosen; else WHARF_SOCKET; else that of
/// the user's own daemon, when there is one: $XDG_RUNTIME_DIR/wharf/wharfd.sock, or
/// /tmp/wharf-UID/wharfd.sock in a folder that only the user can use; else the system's,
/// /run/wharf/wharfd.sock. Variables that are empty count as unset. `shared` stands for /tmp.
std::string socket_path(const std::optional<std::string>& chosen,
                        const Environment& environment = process_environment,
                        const std::string& shared = "/tmp");

} // namespace wharf::client
