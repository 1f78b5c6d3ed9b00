#pragma once

#include <sys/types.h>
#include <vector>

namespace wharf::access {

/// Who is at the other end of a Unix socket, by the kernel's word: the credentials the process
/// had when it connected (SO_PEERCRED), and its supplementary groups (SO_PEERGROUPS).
struct Peer {
    uid_t uid = 0;
    gid_t gid = 0;
    pid_t pid = 0; ///< for logs only: numbers are used again
    std::vector<gid_t> groups;
};

/// Throws Error of kind internal when the kernel does not say.
Peer peer_of(int socket);

} // namespace wharf::access
