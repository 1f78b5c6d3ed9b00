#include "daemon/jobs/room.hpp"

namespace wharf::jobs {

Awaitable<std::uint64_t> DiskRoom::available() {
    return store_.available_bytes();
}

Awaitable<std::uint64_t> DiskRoom::reserved(std::vector<std::string> etags) {
    return store_.reserved_bytes(std::move(etags));
}

Awaitable<> DiskRoom::make(std::uint64_t bytes) {
    flights_.drop_paused();
    co_await store_.free_space(bytes);
}

} // namespace wharf::jobs
