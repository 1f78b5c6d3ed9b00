#pragma once

#include "daemon/async/awaitable.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace wharf::net {

/// A request's body that is not in memory as a whole. Belongs to the client's thread while it is
/// sent, and to one sending at a time.
class RequestBody {
  public:
    virtual ~RequestBody() = default;

    /// How many bytes it has, which is announced as Content-Length. Never changes.
    virtual std::uint64_t size() const noexcept = 0;

    /// The next bytes, which are sent before more are asked for: at least one, until size() have
    /// come, and never more than that, however large the buffer. Requires: the buffer is not empty.
    /// What it throws ends the request, and is what send() throws.
    virtual Awaitable<std::size_t> read_some(std::span<std::byte> buffer) = 0;

    /// Begins anew. Called before each sending, the first one included.
    virtual void rewind() = 0;
};

/// A body that is in memory.
std::shared_ptr<RequestBody> make_body(std::string text);

} // namespace wharf::net
