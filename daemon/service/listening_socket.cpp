#include "daemon/service/listening_socket.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace wharf::service {

namespace {

/// Clients that have connected and wait to be accepted; the kernel has a limit of its own.
constexpr int backlog = 4096;

[[noreturn]] void throw_errno(std::string_view doing, const std::string& path) {
    throw system_error(fmt::format("{} {}", doing, path), errno);
}

std::string lock_path(const std::string& path) {
    return path + ".lock";
}

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        throw Error{ErrorKind::invalid_request,
                    fmt::format("a socket's path has 1 to {} bytes, not {}: {}",
                                sizeof address.sun_path - 1, path.size(), path),
                    "choose a shorter path for the socket"};
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

const sockaddr* generic(const sockaddr_un& address) noexcept {
    return reinterpret_cast<const sockaddr*>(&address);
}

UniqueFd new_socket() {
    UniqueFd fd{adopt_fd, ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!fd) {
        throw system_error("making a socket", errno);
    }
    return fd;
}

/// Makes the folders that lead to `path`, with exactly that mode; those that exist stay as they
/// are.
void make_parents(const std::string& path, mode_t mode) {
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
        const std::string folder = path.substr(0, slash);
        if (::mkdir(folder.c_str(), mode) == 0) {
            if (::chmod(folder.c_str(), mode) != 0) {
                throw_errno("setting the mode of", folder);
            }
        } else if (errno != EEXIST && ::access(folder.c_str(), F_OK) != 0) {
            throw_errno("making the folder", folder);
        }
    }
}

/// Whoever owns the socket's folder could put a socket of his own there and answer in our place.
void require_own_folder(const std::string& path) {
    const std::string folder = path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
    struct stat named{};
    struct stat meant{};
    if (::lstat(folder.c_str(), &named) != 0 || ::stat(folder.c_str(), &meant) != 0) {
        throw_errno("looking at", folder);
    }
    for (const auto& each : {named, meant}) {
        if (each.st_uid != 0 && each.st_uid != ::geteuid()) {
            throw Error{ErrorKind::forbidden,
                        fmt::format("{} belongs to another user, who could answer there in the "
                                    "daemon's place",
                                    folder),
                        "remove it, or set [daemon] socket to a folder of this account"};
        }
    }
}

Error taken(const std::string& path) {
    return Error{ErrorKind::unavailable, "another daemon serves " + path,
                 "stop it first, or give this one another socket"};
}

/// Whether the locked file is still the one that has the name: who stops deletes it.
bool is_at(const UniqueFd& fd, const std::string& path) noexcept {
    struct stat held{};
    struct stat named{};
    return ::fstat(fd.value(), &held) == 0 && ::lstat(path.c_str(), &named) == 0 &&
           held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

UniqueFd take_lock(const std::string& path) {
    const std::string name = lock_path(path);
    while (true) {
        UniqueFd fd{adopt_fd,
                    ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
        if (!fd) {
            throw_errno("opening", name);
        }
        if (::flock(fd.value(), LOCK_EX | LOCK_NB) != 0) {
            throw taken(path);
        }
        if (is_at(fd, name)) {
            return fd;
        }
    }
}

/// Removes a socket that nobody listens on. One whose queue is full has a listener.
void remove_stale(const std::string& path, const sockaddr_un& address) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) {
            return;
        }
        throw_errno("looking at", path);
    }
    if (!S_ISSOCK(status.st_mode)) {
        throw Error{ErrorKind::invalid_request, path + " exists and is not a socket",
                    "remove it, or choose another path for the socket"};
    }
    const UniqueFd probe = new_socket();
    if (::connect(probe.value(), generic(address), sizeof address) == 0 || errno != ECONNREFUSED) {
        throw taken(path);
    }
    if (::unlink(path.c_str()) != 0) {
        throw_errno("removing the abandoned socket", path);
    }
}

} // namespace

ListeningSocket ListeningSocket::open(const ListenOptions& options) {
    const std::string& path = options.path;
    const sockaddr_un address = address_of(path);
    make_parents(path, options.directory_mode);
    require_own_folder(path);
    ListeningSocket result;
    result.path_ = path;
    result.lock_ = take_lock(path);
    remove_stale(path, address);
    result.socket_ = new_socket();
    // Before bind(): the file is born with this mode less the umask, never with more than it should
    // have. The rest is added before listen(), so no client meets a socket it may not open.
    ::fchmod(result.socket_.value(), options.mode);
    if (::bind(result.socket_.value(), generic(address), sizeof address) != 0) {
        throw_errno("making the socket", path);
    }
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) {
        throw_errno("looking at", path);
    }
    result.device_ = status.st_dev;
    result.inode_ = status.st_ino;
    if (::chmod(path.c_str(), options.mode) != 0) {
        throw_errno("setting the mode of", path);
    }
    if (::listen(result.socket_.value(), backlog) != 0) {
        throw_errno("listening on", path);
    }
    return result;
}

ListeningSocket ListeningSocket::adopt(UniqueFd socket) {
    sockaddr_un address{};
    socklen_t size = sizeof address;
    int listening = 0;
    socklen_t option_size = sizeof listening;
    int type = 0;
    socklen_t type_size = sizeof type;
    const bool good =
        ::getsockname(socket.value(), reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
        address.sun_family == AF_UNIX &&
        ::getsockopt(socket.value(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &option_size) == 0 &&
        listening != 0 &&
        ::getsockopt(socket.value(), SOL_SOCKET, SO_TYPE, &type, &type_size) == 0 &&
        type == SOCK_STREAM;
    if (!good) {
        throw Error{ErrorKind::invalid_request,
                    "the socket that was handed over is not a listening Unix stream socket",
                    "check ListenStream= in the socket unit"};
    }
    const int flags = ::fcntl(socket.value(), F_GETFL);
    if (flags < 0 || ::fcntl(socket.value(), F_SETFL, flags | O_NONBLOCK) != 0 ||
        ::fcntl(socket.value(), F_SETFD, FD_CLOEXEC) != 0) {
        throw system_error("preparing the socket that was handed over", errno);
    }
    ListeningSocket result;
    result.socket_ = std::move(socket);
    return result;
}

void ListeningSocket::close() noexcept {
    remove_file();
    socket_.reset();
}

void ListeningSocket::remove_file() noexcept {
    struct stat status{};
    if (!lock_) {
        return;
    }
    if (::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ &&
        status.st_ino == inode_) {
        ::unlink(path_.c_str());
    }
    try {
        // While we hold it: who opened it meanwhile sees that it has lost its name, and tries
        // again.
        ::unlink(lock_path(path_).c_str());
    } catch (const std::bad_alloc&) { // it stays; a lock file that nobody holds harms nobody
    }
    lock_.reset();
}

} // namespace wharf::service
