#pragma once

#include "daemon/async/blocking_pool.hpp"
#include "daemon/async/buffer_pool.hpp"
#include "daemon/store/store.hpp"
#include "daemon/transfer/bandwidth.hpp"
#include "daemon/transfer/connections.hpp"
#include "daemon/transfer/lanes.hpp"
#include "daemon/transfer/rate_gate.hpp"
#include "daemon/transfer/retry.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace wharf::transfer {

struct TransferOptions {
    std::optional<std::uint64_t> piece_size; ///< none: by the file's size, see Flight
    std::size_t max_connections_per_file = 16;
    RetryPolicy retry;
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
    RateGate& gate;
    Connections& connections;
    Bandwidth& bandwidth;
    net::Url endpoint;
    TransferOptions options;
};

} // namespace wharf::transfer
