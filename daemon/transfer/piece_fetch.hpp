#pragma once

#include "daemon/async/awaitable.hpp"
#include "daemon/hub/hub_client.hpp"
#include "daemon/store/partial_file.hpp"
#include "daemon/transfer/piece_map.hpp"

#include <functional>
#include <optional>

namespace wharf::transfer {

/// What a fetch needs to know. The file and the piece outlive the fetch (the flight waits for it).
struct PieceOrder {
    hub::FileSource source;
    std::string etag;
    std::uint64_t size = 0;
    std::optional<net::Url> location; ///< where an earlier answer said the bytes are
    store::PartialFile* file = nullptr;
    Piece* piece = nullptr;
    bool whole_file = false; ///< the piece is the only one: the server may ignore ranges
    /// Told where the bytes come from as soon as that is known, so that other pieces need not ask
    /// the Hub. Called on the fetching thread.
    std::function<void(const net::Url&)> located;
};

/// How a fetch ended that did not throw.
struct PieceOutcome {
    bool range_ignored = false; ///< nothing was written: only the whole file can be had
};

/// Fetches what a piece still lacks and writes it to the file, on the executor of `hub`. What was
/// written before an error is counted in the piece and stays. Throws what open_file() and reading
/// throw, storage and no_space Errors from writing.
Awaitable<PieceOutcome> fetch_piece(hub::HubClient& hub, PieceOrder order);

} // namespace wharf::transfer
