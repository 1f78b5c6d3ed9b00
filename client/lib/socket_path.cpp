#include "client/lib/socket_path.hpp"

#include <cstdlib>
#include <sys/stat.h>
#include <unistd.h>

namespace wharf::client {

namespace {

constexpr const char* system_socket = "/run/wharf/wharfd.sock";

bool is_socket(const std::string& path) noexcept {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
}

/// `/tmp` is everybody's: whoever owns the folder, or may write there, could answer in the daemon's
/// place. The daemon makes the same demands when it puts its socket there.
bool is_private_directory(const std::string& path) noexcept {
    struct stat status{};
    return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
           status.st_uid == ::geteuid() && (status.st_mode & 0077) == 0;
}

/// The socket of the user's own daemon, when there is one.
std::optional<std::string> own_socket(const Environment& environment, const std::string& shared) {
    if (const auto folder = environment("XDG_RUNTIME_DIR"); folder && !folder->empty()) {
        std::string socket = *folder + "/wharf/wharfd.sock";
        if (is_socket(socket)) {
            return socket;
        }
    }
    const std::string folder = shared + "/wharf-" + std::to_string(::getuid());
    std::string socket = folder + "/wharfd.sock";
    return is_private_directory(folder) && is_socket(socket) ? std::optional{std::move(socket)}
                                                             : std::nullopt;
}

} // namespace

std::optional<std::string> process_environment(std::string_view name) {
    const char* value = std::getenv(std::string{name}.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>{value};
}

std::string socket_path(const std::optional<std::string>& chosen, const Environment& environment,
                        const std::string& shared) {
    if (chosen) {
        return *chosen;
    }
    if (const auto named = environment("WHARF_SOCKET"); named && !named->empty()) {
        return *named;
    }
    return own_socket(environment, shared).value_or(system_socket);
}

} // namespace wharf::client
