#pragma once

#include "client/cli/daemon.hpp"
#include "client/cli/file_walk.hpp"
#include "client/cli/progress_display.hpp"
#include "client/cli/upload_wire.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace wharf::cli {

/// One upload with the daemon, from Begin on. Files are handed over as open descriptors, many at a
/// time, and closed here when that is done. What is not submitted is given up at the end.
class UploadCall {
  public:
    /// Called whenever the daemon has taken files in.
    using OnAdded = std::function<void(const AddedChanges& so_far)>;

    /// Begins. Borrows the daemon. Throws Failure.
    UploadCall(Daemon& daemon, const UploadOrder& order, OnAdded on_added);
    UploadCall(const UploadCall&) = delete;
    UploadCall& operator=(const UploadCall&) = delete;
    ~UploadCall();

    /// A file of this many bytes, which must not change before it is pushed. When it `may_grow`,
    /// only so many are taken, and others may append to it.
    void add(std::string path, UniqueFd file, std::uint64_t size, bool may_grow);

    /// Patterns of files to delete, relative to `below`, and whole folders.
    void remove(const std::vector<std::string>& patterns, const std::string& below,
                const std::vector<std::string>& folders = {});

    /// Starts the push and waits for its end. Throws Failure, which says what becomes of the push.
    UploadResult submit(ProgressDisplay& display);

    /// Starts the push; returns the job's number when it is durable.
    std::int64_t submit_detached();

    /// Hands over what is still here of what was added; so does submitting.
    void flush();

  private:
    void discard() noexcept;
    UploadReply call_submit(bool detach, ProgressDisplay* display);

    Daemon& daemon_;
    OnAdded on_added_;
    std::int64_t id_ = 0;
    bool attached_;
    bool over_ = false; ///< submitted: nothing to discard
    json::array files_; ///< the next Add
    std::vector<UniqueFd> descriptors_;
    std::size_t path_bytes_ = 0;
    std::uint64_t file_bytes_ = 0;
};

} // namespace wharf::cli
