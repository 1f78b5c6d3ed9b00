#include "daemon/access/peer.hpp"

#include "base/error.hpp"

#include <cerrno>
#include <sys/socket.h>
#include <system_error>

namespace wharf::access {

namespace {

Error unknown_peer(int error_number) {
    return Error{ErrorKind::internal, "asking the kernel who connected: " +
                                          std::generic_category().message(error_number)};
}

std::vector<gid_t> groups_of(int socket) {
    std::vector<gid_t> groups(32);
    while (true) {
        auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
        const int result = ::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
        if (result != 0 && errno != ERANGE) {
            throw unknown_peer(errno);
        }
        groups.resize(size / sizeof(gid_t)); // with ERANGE: how many there are
        if (result == 0) {
            groups.shrink_to_fit();
            return groups;
        }
    }
}

} // namespace

Peer peer_of(int socket) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        throw unknown_peer(errno);
    }
    return {credentials.uid, credentials.gid, credentials.pid, groups_of(socket)};
}

} // namespace wharf::access
