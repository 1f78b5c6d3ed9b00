#pragma once

#include "daemon/async/task_group.hpp"
#include "daemon/transfer/file_transfer.hpp"
#include "daemon/transfer/flights.hpp"
#include "daemon/transfer/supply.hpp"

#include <exception>

namespace wharf::transfer {

/// One blob on its way to the cache, for all who ask for it: it starts with the first of them, is
/// paused when the last one leaves, and ends when the blob is published or cannot be had. Control
/// thread.
class Flight : public std::enable_shared_from_this<Flight> {
  public:
    enum class State { running, paused, landed, failed };

    Flight(Flights& owner, hub::TreeEntry entry, bool force);

    /// The source of the first asker who was not refused is the one used.
    Askers::Place add(hub::FileSource source, scheduling::Claimant claimant);
    void leave(Askers::Place place);

    /// Starts, or goes on after a pause. Requires: not running, at least one asker.
    void start();
    void cancel();

    /// Throws what made the flight fail, or the asker's refusal, in words that name nothing but
    /// what this asker asked for.
    Awaitable<> landed(Askers::Place place);

    State state() const noexcept { return state_; }
    const hub::TreeEntry& entry() const noexcept { return entry_; }
    const Askers& askers() const noexcept { return askers_; }
    const std::string& reason() const noexcept;
    std::uint64_t done() const noexcept;
    std::chrono::steady_clock::time_point paused_since() const noexcept { return paused_since_; }

  private:
    Awaitable<> run(std::shared_ptr<Flight> self);
    Awaitable<> bring();
    Awaitable<bool> already_there();
    Awaitable<> bring_small();
    Awaitable<FetchedBytes> fetch_small();
    Awaitable<> bring_large();
    Awaitable<bool> move_bytes();
    Awaitable<std::unique_ptr<store::PartialFile>> open_file();
    const hub::FileSource& target();
    Error told_to(const hub::FileSource& asker, const Error& error) const;
    void log_failure() const;
    void end(std::exception_ptr failure);

    Flights& owner_;
    TransferContext& context_;
    hub::TreeEntry entry_;
    bool force_;
    State state_ = State::paused;
    Askers askers_;
    /// Whose folder the store works in: the first asker's, or the last one's who left. Its Errors
    /// may name it. Without the token.
    hub::FileSource target_;
    std::shared_ptr<Supply> supply_;         ///< while it runs
    std::unique_ptr<FileTransfer> transfer_; ///< of a large blob; kept over pauses
    std::unique_ptr<async::TaskGroup> task_;
    std::exception_ptr failure_;
    async::Event changed_;
    std::chrono::steady_clock::time_point paused_since_;
};

} // namespace wharf::transfer
