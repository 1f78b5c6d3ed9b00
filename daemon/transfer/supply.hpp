#pragma once

#include "daemon/async/event.hpp"
#include "daemon/scheduling/retry.hpp"
#include "daemon/transfer/askers.hpp"
#include "daemon/transfer/fetch.hpp"
#include "daemon/transfer/lanes.hpp"
#include "daemon/transfer/transfer_context.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace wharf::transfer {

/// Where a blob's bytes come from, for as long as somebody asks for it: in whose name the Hub is
/// asked, where it said they are, which lane and connection fetches them, and what follows when
/// that fails. Its Errors and reasons are told to all who ask for the blob: they name hosts, and
/// never a repo, path or revision. Control thread.
class Supply : public std::enable_shared_from_this<Supply> {
  public:
    /// `refused` is called when somebody was told that he in particular may not have the blob.
    /// Requires: context and askers outlive this.
    Supply(TransferContext& context, const hub::TreeEntry& entry, Askers& askers,
           std::function<void()> refused);

    /// Begins a fetch on the lane it is given, which the result runs on; throws as fetch_span()
    /// does. Called when there is a connection for it.
    using Fetch = std::function<Awaitable<>(Lanes::Lane& lane, FetchOrder order)>;

    /// How a try failed.
    struct Failure {
        Error error;
        hub::FileSource source;        ///< in whose name it was made
        std::optional<net::Url> where; ///< the location that it went to, if one was known
    };

    /// Waits for its turn and tries once; `bytes` is how much it may bring at most. Throws
    /// rate_limited when the turn would be too far away, cancelled when nobody asks any more.
    Awaitable<std::optional<Failure>> try_once(std::uint64_t bytes, Fetch fetch);

    /// Waits until another try is worth making. Throws the Error when none is; what says that the
    /// asker may not have the blob is told to him alone, and the next one asks.
    Awaitable<> recover(Failure failure);

    /// Something useful arrived: earlier failures are forgiven.
    void progress() noexcept { retry_.progress(); }

    /// The location was signed for somebody who has left, or led to wrong bytes.
    void forget_location() noexcept { location_.reset(); }

    /// Why it waits; empty when it does not.
    const std::string& reason() const noexcept { return note_->reason; }

  private:
    Awaitable<> wait_for_location();
    using Locator = std::uint64_t; ///< a try that asks the Hub for the location; 0: none does
    /// How a try ended.
    struct Outcome {
        std::optional<Error> error;
        bool is_moot = false; ///< nothing was asked: another one's quota has room
    };
    Awaitable<Outcome> carry_out(std::uint64_t bytes, FetchOrder order, Fetch fetch,
                                 Locator locator);
    void end_locating(Locator locator);
    bool prefer_open_quota();
    bool is_closed(const hub::FileSource& source) const;
    FetchOrder order_for(const hub::FileSource& source);
    std::function<void(const net::Url&)>
    location_listener(hub::Token token, std::shared_ptr<scheduling::RateGate::Unit> leave,
                      Locator locator);
    /// Whom to ask.
    std::string host_of(const std::optional<net::Url>& location) const;

    TransferContext& context_;
    const hub::TreeEntry entry_;
    Askers& askers_;
    std::function<void()> refused_;
    std::shared_ptr<scheduling::WaitNote> note_ = std::make_shared<scheduling::WaitNote>();
    std::optional<net::Url> location_; ///< where the bytes are, by an answer of the Hub
    Locator locating_ = 0;             ///< who asks the Hub for it now
    Locator last_locator_ = 0;
    async::Event located_;
    FileLane lane_;
    scheduling::Retry retry_;
    std::chrono::steady_clock::time_point retry_at_; ///< failures before this are one with the last
};

} // namespace wharf::transfer
