#pragma once

#include "client/cli/daemon.hpp"
#include "client/cli/file_walk.hpp"
#include "client/cli/progress_display.hpp"
#include "client/cli/session.hpp"
#include "client/cli/upload_call.hpp"
#include "client/cli/upload_plan.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace wharf::cli {

/// `wharf upload --every`: pushes what was added to a folder or changed in it, now and then, each
/// time as a job that needs nobody waiting. Files that others append to are taken up to the size
/// they had when they were found. Nothing is forgotten that was not submitted.
class RepeatedPush {
  public:
    /// The order of the next push; asked for each time, as a token may have been renewed.
    using MakeOrder = std::function<UploadOrder()>;

    /// Borrows all.
    RepeatedPush(const UploadPlan& plan, MakeOrder make_order, const Session& session,
                 ProgressDisplay& display);

    /// Pushes now, then after each period, and once more after SIGINT or SIGTERM, which end it. A
    /// push that fails is said and tried again after the period; throws Failure or Error when the
    /// last one fails, or the first for a reason that no waiting mends.
    void run(std::chrono::milliseconds period);

  private:
    /// What tells one state of a file from another.
    struct Stamp {
        std::int64_t modified_ns;
        std::uint64_t size;
        std::uint64_t inode;
        bool operator==(const Stamp&) const = default;
    };
    using Stamps = std::map<std::string, Stamp>; ///< by path in the repo

    static Stamp stamp_of(const struct stat& status);
    void push();
    void add_changed(const FoundFile& file, const std::function<UploadCall&()>& upload,
                     Stamps& added);
    void say(std::int64_t job, const UploadOrder& order, const Stamps& added);
    void say_once(const Error& fault);
    void look_after(Daemon& daemon);
    bool has_ended(Daemon& daemon, std::int64_t job);

    const UploadPlan& plan_;
    MakeOrder make_order_;
    const Session& session_;
    ProgressDisplay& display_;
    Stamps submitted_;
    std::set<std::string> said_;     ///< faults of files
    std::vector<std::int64_t> jobs_; ///< not known to have ended
    bool warned_of_queue_ = false;
};

} // namespace wharf::cli
