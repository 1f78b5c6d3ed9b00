#include "client/lib/socket_path.hpp"

#include <cstdlib>
#include <sys/stat.h>

namespace wharf::client {

namespace {

constexpr const char* system_socket = "/run/wharf/wharfd.sock";

bool is_socket(const std::string& path) noexcept {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
}

} // namespace

std::optional<std::string> process_environment(std::string_view name) {
    const char* value = std::getenv(std::string{name}.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>{value};
}

std::string socket_path(const std::optional<std::string>& chosen, const Environment& environment) {
    if (chosen) {
        return *chosen;
    }
    if (const auto named = environment("WHARF_SOCKET"); named && !named->empty()) {
        return *named;
    }
    if (const auto folder = environment("XDG_RUNTIME_DIR"); folder && !folder->empty()) {
        std::string own = *folder + "/wharf/wharfd.sock";
        if (is_socket(own)) {
            return own;
        }
    }
    return system_socket;
}

} // namespace wharf::client
