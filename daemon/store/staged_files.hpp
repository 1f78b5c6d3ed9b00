#pragma once

#include "base/unique_fd.hpp"
#include "daemon/async/awaitable.hpp"
#include "daemon/async/foreign_fd.hpp"
#include "daemon/hub/types.hpp"
#include "daemon/store/directory.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace wharf::store {

/// How much of a file's start is kept at hand, in bytes.
inline constexpr std::size_t sample_size = 512;

/// Of larger files git's blob id is not made while they are taken: the Hub wants them as objects.
/// It takes regular ones of 9 MiB.
inline constexpr std::uint64_t most_regular_size = 16 << 20;

/// A file that was taken into staging.
struct StagedFile {
    std::string name; ///< below the upload's folder; for open()
    std::uint64_t size = 0;
    std::string sample;         ///< its first bytes, at most sample_size
    bool shares_blocks = false; ///< a reflink or hard link: it cost no space and no reading
    /// The hashes of its content that did not take another reading, with a blank between two: as
    /// far as it was read to be copied its sha256 and, of what may be a regular file of the Hub,
    /// git's blob id; of a verified blob of the cache its etag. Else empty.
    std::string hashes;
};

/// What is to be taken.
struct StagingOrder {
    std::uint64_t upload = 0;
    uid_t uid = 0;
    async::ForeignFd source; ///< open for reading; from outside, and not to be trusted
    std::string path;        ///< for messages: where it goes in the repo
    /// Only so many bytes, of a file that others append to; none: all of it, and it must not
    /// change meanwhile.
    std::optional<std::uint64_t> size;
    /// Bytes that the account may still have staged; none: any number. Throws quota for more.
    std::optional<std::uint64_t> most = {};
};

/// A staged file that has been pushed.
struct PushedFile {
    std::string name;
    hub::TreeEntry entry; ///< what it is in the repo now: its content is known to have that etag
};

/// Somebody's file that is read where it is.
struct AttachedFile {
    std::shared_ptr<const UniqueFd> file;
    std::uint64_t size = 0; ///< of what is to be read
    Stamp stamp;            ///< how it looked
};

/// Files that people have handed over to be pushed, until their commit is in: one folder for each
/// upload, beside the cache on its file system and closed to all others. A file is cloned where the
/// file system can (FICLONE), linked when it is a verified blob of the cache, and else copied. Once
/// taken it never changes. Calls come from the control thread.
///
/// A source may be anything that somebody could open: it may hang (FUSE, NFS), be endless, change,
/// or be a window into the kernel. So only regular files are taken, none of procfs, sysfs and their
/// like; what reads them runs on threads that nobody waits for, few for each account; and the room
/// on the disk is looked at first.
class StagedFiles {
  public:
    virtual ~StagedFiles() = default;

    /// Throws invalid_request for what cannot be taken (no regular file, not open for reading,
    /// changed while it was read: the message names the path), no_space with numbers, storage.
    /// Durable against power failures after flush() only. When cancelled, nothing is left.
    virtual Awaitable<StagedFile> take(StagingOrder order) = 0;

    /// Only looks whether a file can be read where it is, at any time and by any thread: it must
    /// not lie on a file system that may hang (FUSE, network). Throws invalid_request if it cannot.
    virtual Awaitable<AttachedFile> attach(StagingOrder order) = 0;

    /// As take() for bytes in memory.
    virtual Awaitable<StagedFile> take_bytes(std::uint64_t upload, std::string content) = 0;

    /// Makes all that was taken for the upload survive a power failure. Costs nothing when nothing
    /// was taken since the last time. A file of which that fails is gone.
    virtual Awaitable<> flush(std::uint64_t upload) = 0;

    /// Opens a file for reading. Throws storage when it is gone.
    virtual Awaitable<UniqueFd> open(std::uint64_t upload, std::string name) = 0;

    /// The first bytes of files, up to `most` of each. Throws storage when one is gone.
    virtual Awaitable<std::vector<std::string>>
    read_starts(std::uint64_t upload, std::vector<std::string> names, std::size_t most) = 0;

    /// Makes staged files blobs of the repo: by renaming, not by copying. They are gone from
    /// staging then; so are those of which the repo has the blob already, to no other effect. When
    /// it throws, some of them may have become blobs. Requires: no etag comes twice.
    virtual Awaitable<> publish(std::uint64_t upload, hub::RepoId repo,
                                std::vector<PushedFile> files) = 0;

    /// Removes all that is staged for the upload; nothing if there is nothing.
    virtual Awaitable<> discard(std::uint64_t upload) = 0;

    /// Removes the folders of all uploads but these: what crashes left. To be called at start,
    /// before anything is taken.
    virtual Awaitable<> keep_only(std::vector<std::uint64_t> uploads) = 0;
};

} // namespace wharf::store
