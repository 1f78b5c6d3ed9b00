#pragma once

#include "client/cli/wire.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// The messages of org.wharf.Jobs as the command uses them; readers throw as those of wire.hpp.
namespace wharf::cli {

struct JobFailure {
    std::string name;
    std::string message;
    std::string hint;
};

/// A job as org.wharf.Jobs tells it. Times are RFC 3339.
struct Job {
    std::int64_t id = 0;
    std::int64_t uid = 0;
    std::string repo;
    std::string repo_type;
    std::string revision;
    std::optional<std::string> commit;
    std::string kind = "download";      ///< or "commit"
    std::optional<std::string> message; ///< of a commit
    std::vector<std::string> warnings;  ///< of a commit
    std::optional<std::string> url;     ///< of a commit that is made, or of its pull request
    std::string priority;
    bool detached = false;
    std::string state;
    std::string reason; ///< may be empty
    std::optional<std::string> waiting_until;
    std::string created;
    std::optional<std::string> finished;
    std::uint64_t watchers = 0;
    std::uint64_t files_done = 0;
    std::uint64_t files_total = 0;
    std::uint64_t bytes_done = 0;
    std::uint64_t bytes_total = 0;
    std::uint64_t bytes_per_second = 0;
    std::optional<JobFailure> failure;

    /// Done, failed or cancelled.
    bool has_ended() const noexcept;

    bool is_push() const noexcept { return kind == "commit"; }
};

/// The answer of Show and Watch.
struct ShownJob {
    Job job;
    std::vector<FileProgress> files; ///< some of those in the air
};

/// The member "warnings", of a push's job or result; none if it is not there.
std::vector<std::string> read_warnings(const boost::json::object& object);

Job read_job(const json::object& object);
ShownJob read_shown_job(const json::object& parameters);

/// How far a job is, as a download's progress tells it.
Progress progress_of(const ShownJob& shown);

} // namespace wharf::cli
