#pragma once

#include "daemon/net/socket.hpp"

#include <memory>
#include <string>

namespace wharf::net {

class TlsContext;

/// Shakes hands over a connected socket as the client of `host` (a name or an address), whose
/// certificate must be trusted and made out to it. `context` must outlive the stream. Throws
/// network Errors that say what is wrong with the peer, or that the deadline has passed.
Awaitable<std::unique_ptr<Stream>> open_tls(Socket socket, TlsContext& context, std::string host,
                                            Deadline deadline);

} // namespace wharf::net
