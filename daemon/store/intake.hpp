#pragma once

#include "daemon/store/fresh_file.hpp"
#include "daemon/store/staged_files.hpp"

#include <atomic>
#include <cstdint>
#include <string>
#include <sys/stat.h>

namespace wharf::store {

/// Takes one file from outside into staging. look(), and if it does not settle it take(), run on
/// threads that nobody waits for and may hang; they share this with whoever waits, who may give up
/// at any moment. Each of them closes the source when it is done with it: closing may hang, too.
class Intake {
  public:
    /// `name`: of the staged file, new. `home_device`: where the cache's blobs are.
    Intake(StagingOrder order, UploadFolders folders, std::string name, std::uint64_t home_device);
    Intake(const Intake&) = delete;
    Intake& operator=(const Intake&) = delete;

    /// Refuses what cannot be taken; takes it, unless it may be a blob of ours.
    void look();

    /// Instead of look(): refuses what cannot be read where it is.
    void require_attachable();
    /// Then. Ends this intake's use.
    AttachedFile attached();

    /// Whether look() left it to the caller to see if it is a verified blob: it lies where they do,
    /// and is ours. So its file system is the cache's and does not hang.
    bool may_be_blob() const noexcept { return may_be_blob_; }

    /// How a file looks that may be a blob.
    Stamp stamp() const { return to_stamp(before_); }

    /// Whether such a file can be linked: nobody may write to it, so it will never change.
    bool may_be_linked() const noexcept;

    /// It is that blob, and has the name in the upload's folder already.
    void was_linked(std::string etag);

    /// It is that blob (empty: none), and has to be taken like any other file.
    void take(std::string etag);

    /// Whoever waited does not any more. False: too late, the file is in the upload's folder.
    bool abandon() noexcept;

    /// Removes what came too late.
    void withdraw() noexcept;

    const std::string& name() const noexcept { return file_.name; }
    StagedFile& file() noexcept { return file_; }

  private:
    enum class State { running, taken, abandoned };

    void require_takeable();
    void transfer();
    std::string copy(FreshFile& target);
    void read_sample();
    void require_unchanged() const;
    void require_wanted() const;
    struct stat look_at_source() const;
    [[noreturn]] void refuse_cut_off() const;
    [[noreturn]] void refuse(std::string_view why, std::string hint) const;

    StagingOrder order_;
    UploadFolders folders_;
    std::uint64_t home_device_;
    struct stat before_{};
    StagedFile file_;
    bool may_be_blob_ = false;
    std::atomic<State> state_ = State::running;
};

} // namespace wharf::store
