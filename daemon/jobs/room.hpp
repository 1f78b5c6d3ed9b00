#pragma once

#include "daemon/async/awaitable.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace wharf::jobs {

/// What a job asks about the disk before it begins to fetch. Control thread.
class Room {
  public:
    virtual ~Room() = default;

    /// Bytes that new files may take.
    virtual Awaitable<std::uint64_t> available() = 0;

    /// How many of the bytes of these blobs (by etag) need no new space, because unfinished files
    /// of them have reserved it already.
    virtual Awaitable<std::uint64_t> reserved(std::vector<std::string> etags) = 0;

    /// Makes room by removing what nobody needs, until `bytes` are available or nothing is left to
    /// remove.
    virtual Awaitable<> make(std::uint64_t bytes) = 0;
};

} // namespace wharf::jobs
