#pragma once

#include "daemon/async/blocking_pool.hpp"
#include "daemon/async/buffer_pool.hpp"
#include "daemon/scheduling/bandwidth.hpp"
#include "daemon/scheduling/connections.hpp"
#include "daemon/scheduling/rate_gate.hpp"
#include "daemon/scheduling/retry.hpp"
#include "daemon/store/store.hpp"
#include "daemon/transfer/lanes.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace wharf::transfer {

struct TransferOptions {
    std::optional<std::uint64_t> piece_size; ///< none: by the file's size, see Flight
    std::size_t max_connections_per_file = 16;
    scheduling::RetryPolicy retry;
    /// Other programs put blobs into the cache too (`[cache] lock_files`).
    bool others_write = false;
    /// How long the memory of a paused flight is kept. Its bytes stay on disk in any case.
    std::chrono::minutes keep_paused{10};
};

/// What all transfers share.
struct TransferContext {
    Executor executor; ///< the control thread's
    Lanes& lanes;
    store::Store& store;
    async::BlockingPool& pool;
    async::BufferPool& buffers;
    scheduling::RateGate& gate;
    scheduling::Connections& connections;
    scheduling::Bandwidth& bandwidth;
    net::Url endpoint;
    TransferOptions options;
};

} // namespace wharf::transfer
