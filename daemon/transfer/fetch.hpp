#pragma once

#include "daemon/async/awaitable.hpp"
#include "daemon/async/buffer_pool.hpp"
#include "daemon/hub/hub_client.hpp"
#include "daemon/scheduling/allowance.hpp"
#include "daemon/scheduling/connections.hpp"
#include "daemon/store/partial_file.hpp"
#include "daemon/transfer/piece_map.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wharf::transfer {

/// What every fetch needs to know; it runs on the executor of its HubClient.
struct FetchOrder {
    hub::FileSource source;
    std::string etag;
    std::uint64_t size = 0;
    std::optional<net::Url> location; ///< where an earlier answer said the bytes are
    /// Told where the bytes come from as soon as that is known, so that others need not ask the
    /// Hub. Called on the fetching thread.
    std::function<void(const net::Url&)> located;
    std::shared_ptr<scheduling::Connections::Line>
        connection;                                   ///< counts what comes, and says when to stop
    std::shared_ptr<scheduling::Allowance> allowance; ///< how fast we may read
};

/// A span to fetch and where to put it; file, pieces and buffers outlive the fetch.
struct SpanOrder {
    FetchOrder what;
    store::PartialFile* file = nullptr;
    PieceMap* pieces = nullptr;
    std::shared_ptr<Span> span; ///< null: there is nothing to do after all
    async::BufferPool* buffers = nullptr;
};

/// Fetches what the pieces of a span still lack and writes it to the file, recording each piece
/// that is complete. Ends early when the connection is wanted back. What was written before an
/// error stays. When the server would send the whole file instead of a part, nothing is written
/// and `ranges_ignored` is set. Throws what open_file() and reading throw, storage and no_space
/// Errors from writing. Requires: no piece of the span but the first has been begun.
Awaitable<> fetch_span(hub::HubClient& hub, SpanOrder order, bool* ranges_ignored);

/// A small file in memory.
struct FetchedBytes {
    std::vector<std::byte> content; ///< as large as the file
    std::size_t present = 0;        ///< what of it is there, from the start on
    std::string digest;             ///< what all of it hashes to, when all is there
};

/// Fetches what a file in memory still lacks. Throws as fetch_span() does; what came stays.
Awaitable<> fetch_bytes(hub::HubClient& hub, FetchOrder order, FetchedBytes* fetched);

} // namespace wharf::transfer
