#pragma once

#include "client/cli/wire.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// The messages of org.wharf.Uploads as the command uses them; readers throw as those of wire.hpp.
namespace wharf::cli {

/// A commit to make, without its changes.
struct UploadOrder {
    std::string repo;
    std::string repo_type = "model";
    std::string revision = "main";
    std::string message;
    std::optional<std::string> description;
    std::optional<std::string> parent_commit;
    std::optional<std::string> priority;
    std::optional<std::string> token; ///< as TokenSearch has it
    bool create_pr = false;
    bool create = false; ///< the repo and the branch, where they are missing
    bool is_private = false;
    bool attached = false;
};

/// What was added to an upload so far.
struct AddedChanges {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::uint64_t shared = 0; ///< bytes that needed no copy
};

struct UploadResult {
    std::string commit;
    std::string url;
    std::optional<std::string> pull_request;
    std::uint64_t commits = 0; ///< 0: nothing had changed
    std::uint64_t files = 0;
    std::uint64_t bytes_sent = 0;
    std::vector<std::string> warnings;

    /// What people want to open: the pull request if there is one, else the commit.
    const std::string& address() const noexcept { return pull_request ? *pull_request : url; }
};

/// One message of Submit's stream.
struct UploadReply {
    std::optional<std::int64_t> job;
    std::optional<Progress> progress;
    std::optional<UploadResult> result;
};

/// The parameters of Begin; only what is not the default.
json::object order_parameters(const UploadOrder& order);

AddedChanges read_added(const json::object& parameters);
UploadReply read_upload_reply(const json::object& parameters);

} // namespace wharf::cli
