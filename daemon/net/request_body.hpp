#pragma once

#include "daemon/async/awaitable.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace wharf::net {

/// A request's body that is not in memory as a whole. Belongs to the client's thread while it is
/// sent.
class RequestBody {
  public:
    virtual ~RequestBody() = default;

    /// How many bytes it has, which is announced as Content-Length. Never changes.
    virtual std::uint64_t size() const noexcept = 0;

    /// The next bytes: at least one, until size() have come. Requires: the buffer is not empty.
    /// What it throws ends the request, and is what send() throws.
    virtual Awaitable<std::size_t> read_some(std::span<std::byte> buffer) = 0;

    /// Begins anew: the request is sent once more on a fresh connection.
    virtual void rewind() = 0;
};

} // namespace wharf::net
