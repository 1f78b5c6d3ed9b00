#pragma once

#include "base/unique_fd.hpp"

#include <string>
#include <sys/types.h>

namespace wharf::service {

struct ListenOptions {
    std::string path;
    mode_t mode = 0666;           ///< of the socket, whatever the umask; who may connect is policy
    mode_t directory_mode = 0755; ///< of folders that have to be made for it
};

/// A Unix socket that clients can connect to. One that was opened here is taken out of the file
/// system at the end; one that was handed over (socket activation) stays where it is.
class ListeningSocket {
  public:
    /// Makes missing folders, replaces a socket that nobody listens on any more, and listens. A
    /// lock file beside the socket, held for as long as this lives, keeps two daemons that start at
    /// once from replacing each other's. The socket has its mode before the first client can
    /// connect. Throws Error: unavailable when another daemon serves the path, invalid_request
    /// when the path cannot be a socket's, else storage.
    static ListeningSocket open(const ListenOptions& options);

    /// Takes a socket that listens already. Throws Error, invalid_request, when it is not one.
    static ListeningSocket adopt(UniqueFd socket);

    ListeningSocket(ListeningSocket&& other) noexcept = default;
    ListeningSocket& operator=(ListeningSocket&& other) = delete;
    ~ListeningSocket() { close(); }

    int fd() const noexcept { return socket_.value(); }

    /// Stops listening; clients that were not accepted yet are refused. May be called again.
    void close() noexcept;

  private:
    ListeningSocket() = default;
    void remove_file() noexcept;

    UniqueFd socket_;
    UniqueFd lock_;    ///< open while the file at `path_` is ours
    std::string path_; ///< empty: handed over
    dev_t device_ = 0; ///< with `inode_`, the file that we made
    ino_t inode_ = 0;
};

} // namespace wharf::service
