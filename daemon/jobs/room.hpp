#pragma once

#include "daemon/async/awaitable.hpp"
#include "daemon/store/store.hpp"
#include "daemon/transfer/flights.hpp"

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

/// The room on the cache's disk. Requires: store and flights outlive this.
class DiskRoom final : public Room {
  public:
    DiskRoom(store::Store& store, transfer::Flights& flights) : store_{store}, flights_{flights} {}

    Awaitable<std::uint64_t> available() override;
    Awaitable<std::uint64_t> reserved(std::vector<std::string> etags) override;
    Awaitable<> make(std::uint64_t bytes) override;

  private:
    store::Store& store_;
    transfer::Flights& flights_;
};

} // namespace wharf::jobs
