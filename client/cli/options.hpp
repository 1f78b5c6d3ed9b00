#pragma once

#include "client/cli/selection.hpp"
#include "client/cli/upload_plan.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace wharf::cli {

/// What standard output carries.
enum class OutputFormat {
    human,
    json,  ///< one object
    quiet, ///< only the result
};

/// `wharf download`, and `wharf prefetch`, which detaches.
struct DownloadCommand {
    DownloadArguments what = {};
    std::optional<std::string> local_dir = {};
    std::optional<std::string> token = {};
    std::optional<std::string> priority = {}; ///< the class; none: what the daemon takes by itself
    bool force = false;
    bool dry_run = false;
    bool detach = false; ///< nobody waits for the end
};

/// What is said of a commit, as it was given.
struct CommitArguments {
    std::optional<std::string> message = {};
    std::optional<std::string> description = {};
    std::optional<std::string> parent = {};
    std::optional<std::string> priority = {}; ///< the class of its job
    std::optional<std::string> token = {};
    bool create_pr = false;
    bool detach = false;
};

/// `wharf upload` and `wharf upload-large-folder`.
struct UploadCommand {
    UploadArguments what = {};
    CommitArguments commit = {};
    bool is_private = false;
    bool attached = false;
    bool folder_only = false;
    bool named_workers = false; ///< of upload-large-folder: --num-workers was given
    std::optional<std::chrono::milliseconds> every = {};
};

/// `wharf repo-files delete`.
struct DeleteFilesCommand {
    std::string repo = {};
    std::optional<std::string> repo_type = {};
    std::optional<std::string> revision = {};
    std::vector<std::string> patterns = {}; ///< one that ends in "/" is a folder
    CommitArguments commit = {};
};

struct StatusCommand {};
struct EnvCommand {};
struct VersionCommand {};

struct JobsListCommand {
    bool all = false;
    bool all_users = false;
    std::optional<std::int64_t> limit = {}; ///< how many to show
};
struct JobsShowCommand {
    std::int64_t id = 0;
};
struct JobsWatchCommand {
    std::int64_t id = 0;
};

/// What can be done to jobs.
enum class JobAction { pause, resume, cancel, retry, prioritize };

struct JobsActCommand {
    JobAction action = JobAction::cancel;
    std::vector<std::int64_t> ids = {};
    std::string priority = {}; ///< the new class, of prioritize
};

struct LoginCommand {
    std::optional<std::string> token = {}; ///< none: read from standard input
};
struct LogoutCommand {};
struct WhoAmICommand {
    std::optional<std::string> token = {};
};
struct TokensListCommand {
    bool all = false;
};

struct QuotaShowCommand {
    std::optional<std::string> user = {}; ///< name or number; none: the caller
};
struct QuotaListCommand {};
struct QuotaReleaseCommand {
    std::string repo = {};
    std::optional<std::string> repo_type = {};
};

using Command =
    std::variant<DownloadCommand, StatusCommand, EnvCommand, VersionCommand, JobsListCommand,
                 JobsShowCommand, JobsWatchCommand, JobsActCommand, LoginCommand, LogoutCommand,
                 WhoAmICommand, TokensListCommand, QuotaShowCommand, QuotaListCommand,
                 QuotaReleaseCommand, UploadCommand, DeleteFilesCommand>;

struct Options {
    std::optional<std::string> socket; ///< of --socket
    OutputFormat format = OutputFormat::human;
    Command command;
};

/// What the arguments come to: options to act on, or a text to show and to end with.
struct ParsedArguments {
    std::optional<Options> options;
    std::string text; ///< the help, or what is wrong
    std::string hint; ///< where help is
    bool is_error = false;
    bool wants_json = false; ///< the error is to be reported as JSON
};

/// Reads the command line. Nothing is asked of the world outside it.
ParsedArguments parse_arguments(int argc, const char* const* argv);

} // namespace wharf::cli
