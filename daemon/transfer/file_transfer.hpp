#pragma once

#include "base/digest.hpp"
#include "daemon/async/event.hpp"
#include "daemon/transfer/piece_map.hpp"
#include "daemon/transfer/supply.hpp"

#include <exception>
#include <memory>

namespace wharf::transfer {

/// Brings the bytes of one large blob into its partial file: several connections fetch spans of
/// pieces, and the hash is computed while they come. It follows the frontier (all bytes below it
/// are there) and reads them back from the page cache, so that no buffers are handed around and a
/// resumed transfer needs no other code than a new one. Control thread.
class FileTransfer {
  public:
    /// Goes on from what the file has. Requires: the context outlives this.
    FileTransfer(TransferContext& context, const hub::TreeEntry& entry,
                 std::unique_ptr<store::PartialFile> file);

    /// Fetches and hashes until all is there. Throws what the supply throws and storage Errors.
    /// What came stays, also when cancelled: the next run() goes on from there.
    Awaitable<> run(Supply& supply);

    /// Whether the bytes are the wanted ones. Once, after run().
    bool is_right();

    /// After wrong bytes: reads the file again and forgets the pieces that are not what was
    /// received. False when there are none: then what the Hub sent was wrong.
    Awaitable<bool> drop_damaged();

    /// Ends this transfer's use.
    std::unique_ptr<store::PartialFile> take_file() noexcept { return std::move(file_); }

    std::uint64_t present() const noexcept { return pieces_->present(); }

  private:
    Awaitable<> run_workers();
    Awaitable<> work();
    Awaitable<> fetch_some();
    Awaitable<> note_ignored_range();
    Awaitable<> begin_in_one_go();
    void start_hash_over();
    Awaitable<> hash_along();
    std::uint64_t end_of_step(std::uint64_t frontier) const;
    Awaitable<> hash_until(std::uint64_t end);
    Awaitable<> check_resumed(std::size_t piece);
    Awaitable<bool> is_as_recorded(std::size_t piece);
    void lose(std::size_t piece);
    Awaitable<> sync_now_and_then();

    TransferContext& context_;
    hub::TreeEntry entry_;
    Supply* supply_ = nullptr; ///< of the current run
    std::unique_ptr<store::PartialFile> file_;
    std::unique_ptr<PieceMap> pieces_;
    BlobHasher hasher_;
    std::uint64_t hashed_ = 0;
    std::uint64_t most_present_ = 0; ///< what counts as progress: more than ever before
    std::exception_ptr trouble_;     ///< what a worker could not recover from
    int ignored_ranges_ = 0;         ///< answers that were the whole file
    bool ranges_ignored_ = false;    ///< it comes in one go or not at all
    async::Event changed_;
};

} // namespace wharf::transfer
