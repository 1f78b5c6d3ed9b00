#pragma once

#include "base/unique_fd.hpp"
#include "daemon/async/awaitable.hpp"
#include "daemon/async/blocking_pool.hpp"
#include "daemon/hub/types.hpp"
#include "daemon/store/blob_lock.hpp"
#include "daemon/store/options.hpp"
#include "daemon/store/partial_file.hpp"
#include "daemon/store/readers.hpp"
#include "daemon/store/staged_files.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wharf::store {

using Entries = std::vector<hub::TreeEntry>;

/// What is left to do after everything that needs no network was done.
struct BroughtIn {
    Entries missing;      ///< to be fetched
    Entries unverified;   ///< blobs that somebody else put there: hash them before trusting them
    bool settled = false; ///< all that is in the snapshot is durable: finish_snapshot() is only
                          ///< needed for the ref
};

/// What we hold: the cache on disk in the official layout, and the catalogue that knows which blob
/// is where and was verified. Calls come from the control thread; the work is done on a thread of
/// its own (catalogue, links, small files) or on the blocking pool (hashing, flushing).
///
/// Order of publishing, which makes a crash at any point harmless: blob written beside the cache →
/// hash checked (by transfer/) → fdatasync → rename → directory fsync → catalogue → pointer in
/// the snapshot → snapshot directory fsync → ref.
///
/// Cancellation may end each call, but publish() and finish_snapshot() are not left half done.
/// Links that somebody put where the cache has folders are never followed: a storage Error.
///
/// A repo's folder is a door: made closed to all but the daemon's account, and opened by
/// set_readers() alone. docs/cache-layout.md says who may read what.
class Store {
  public:
    /// Opens or creates; rebuilds a missing or broken catalogue from the disk; notes blobs that
    /// came since; keeps unfinished files of earlier runs that can be resumed. Blocks meanwhile.
    /// Throws storage Errors (also when another process has this cache), invalid_request for
    /// folders that are unusable or that others could write to. Requires: the callers' event loop
    /// and the pool outlive this.
    Store(StoreOptions options, async::BlockingPool& pool);
    ~Store();

    /// The commit that refs/<revision> holds; none if there is none.
    Awaitable<std::optional<std::string>> known_commit(hub::RepoId repo, std::string revision);

    /// The commit's file list, if we have it (memory, then trees/<commit>.json); else null.
    Awaitable<hub::TreePtr> tree(hub::RepoId repo, std::string commit);

    /// Keeps a commit's file list for ever: it is immutable.
    Awaitable<> save_tree(hub::RepoId repo, std::string commit, hub::TreePtr tree);

    /// Puts every wanted file whose verified blob we hold (in this repo or another, then by hard
    /// link) into the commit's snapshot, and says what remains. Hashes nothing; copies only where
    /// the file system cannot link.
    Awaitable<BroughtIn> bring_in(hub::RepoId repo, std::string commit, Entries wanted);

    /// As tree(), from memory alone and at once: null if it is not there.
    hub::TreePtr remembered_tree(const hub::RepoId& repo, const std::string& commit);

    /// Whether bring_in() found this file in place and durable before and it still is: one stat(2)
    /// on the caller's thread. False may also mean that we would have to look.
    bool still_in_place(const hub::RepoId& repo, const std::string& commit,
                        const hub::TreeEntry& entry);

    /// Which of the wanted files bring_in() would put in place without fetching or hashing (true).
    /// Changes nothing.
    Awaitable<std::vector<bool>> held(hub::RepoId repo, std::string commit, Entries wanted);

    /// Which of these blobs are in the cache, in whatever repo, checked or not.
    Awaitable<std::vector<bool>> present(std::vector<std::string> etags);

    /// Hashes a blob that bring_in() reported as unverified, in whatever repo it is. True: it is
    /// right and known as such from now on; bring_in() again puts it in place. False: it was wrong
    /// or gone and has been removed.
    Awaitable<bool> verify(hub::RepoId repo, hub::TreeEntry entry);

    /// The file for a blob's bytes: the unfinished one that an earlier try left, with its own piece
    /// size, if it is of this size; else a new one, its space reserved. Throws no_space with
    /// numbers. Requires: nobody else has that blob's file open (else an internal Error).
    Awaitable<std::unique_ptr<PartialFile>> open_partial(std::string etag, std::uint64_t size,
                                                         std::uint64_t piece_size);

    /// Removes an unfinished file that is not worth keeping. Takes its time for a large one.
    Awaitable<> discard(std::unique_ptr<PartialFile> file);

    /// Publishes a complete, checked file as a blob of the repo (replacing one of that name).
    /// Those who publish at the same time share the flushing; so many at a time are far cheaper
    /// than one after the other, and nobody waits for others to come.
    Awaitable<> publish(std::unique_ptr<PartialFile> file, hub::RepoId repo);

    /// The same for a small blob whose checked bytes are in memory: no partial file is needed
    /// before, and none is left if it fails.
    Awaitable<> publish_bytes(std::string etag, std::vector<std::byte> content, hub::RepoId repo);

    /// Room for new files on the cache's file system, what is to stay free not counted: a job can
    /// see beforehand whether all of it will fit.
    Awaitable<std::uint64_t> available_bytes();

    /// Room that unfinished files of these blobs have taken already.
    Awaitable<std::uint64_t> reserved_bytes(std::vector<std::string> etags);

    /// Makes room: removes unfinished files that nobody has open, the longest untouched first,
    /// until `bytes` are available or none is left. Whether anything was removed.
    Awaitable<bool> free_space(std::uint64_t bytes);

    /// The official client's lock for a blob, waited for; an empty lock unless `lock_files`.
    Awaitable<BlobLock> lock_blob(hub::RepoId repo, std::string etag);

    /// After the last pointer of a job: makes the snapshot durable and points the ref at it. A
    /// revision that is the commit itself gets no ref; nor does one that clashes with another ref
    /// ("dev" and "dev/x"), which is logged.
    Awaitable<> finish_snapshot(hub::RepoId repo, std::string commit, std::string revision);

    /// Lets these accounts, and no others, enter the repo's folder; returns when the kernel sees to
    /// it. Who could enter before and after is not kept out in between. The folder is made if there
    /// is somebody to let in, and opened in the same way when it is removed and made anew. What
    /// cannot be (a folder of somebody else's, more accounts than an ACL holds) is logged once.
    /// Throws storage Errors.
    Awaitable<> set_readers(hub::RepoId repo, Readers readers);

    /// Whether an account can reach the repo's files by path, as set_readers() last left it: if
    /// not, it needs descriptors. Control thread; asks no disk.
    bool path_is_open_to(const hub::RepoId& repo, uid_t uid) const;

    /// Whether the file system can let single accounts into a folder. Any thread.
    bool has_acls() const noexcept;

    /// The repos that have a folder in the cache, whoever made it.
    Awaitable<std::vector<hub::RepoId>> repos();

    /// Opens a commit's file for reading: the verified blob that its pointer names, and nothing
    /// else. Throws file_not_found if there is none; storage Errors if something else is in its
    /// place, or content that was not checked: bring_in() sees to that.
    Awaitable<UniqueFd> open_file(hub::RepoId repo, std::string commit, std::string path);

    /// What is to be pushed.
    StagedFiles& staged() noexcept;

    /// Where a commit's files are or will be. Any thread.
    std::filesystem::path snapshot_path(const hub::RepoId& repo, const std::string& commit) const;

    const std::filesystem::path& cache_dir() const noexcept;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace wharf::store
