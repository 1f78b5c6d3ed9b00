#include "client/lib/trust.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace wharf::client {

namespace {

bool is_named(uid_t uid, const std::string& name) {
    if (name == std::to_string(uid)) {
        return true;
    }
    const passwd* entry = ::getpwnam(name.c_str());
    return entry != nullptr && entry->pw_uid == uid;
}

/// Whether the account was given the socket's folder by root.
bool owns_run_folder(uid_t uid, const std::filesystem::path& socket, const std::string& run) {
    const auto folder = socket.lexically_normal().parent_path();
    struct stat status{};
    return folder.parent_path() == run && ::lstat(folder.c_str(), &status) == 0 &&
           S_ISDIR(status.st_mode) && status.st_uid == uid;
}

} // namespace

bool is_trusted(uid_t listener, const std::string& path, const Environment& environment,
                const std::string& run) {
    if (listener == 0 || listener == ::geteuid()) {
        return true;
    }
    const auto named = environment("WHARF_DAEMON_USER");
    return (named && is_named(listener, *named)) || owns_run_folder(listener, path, run);
}

void require_trusted_listener(int socket, const std::string& path) {
    ucred listener{};
    socklen_t size = sizeof listener;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &listener, &size) != 0) {
        throw system_error("asking the kernel who listens at " + path, errno);
    }
    if (!is_trusted(listener.uid, path)) {
        throw Error{ErrorKind::forbidden,
                    fmt::format("your token was not sent to {}: uid {} listens there, which is "
                                "neither you nor root",
                                path, listener.uid),
                    fmt::format("if that account runs the daemon here, say so with "
                                "WHARF_DAEMON_USER={}",
                                listener.uid)};
    }
}

} // namespace wharf::client
