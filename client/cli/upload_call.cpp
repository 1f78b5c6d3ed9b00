#include "client/cli/upload_call.hpp"

#include "client/cli/failure.hpp"
#include "client/cli/interrupts.hpp"
#include "client/cli/json_fields.hpp"
#include "client/lib/connection.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <chrono>
#include <utility>

namespace wharf::cli {

namespace {

using protocol::ExitCode;

/// What one call of Add carries at most: the daemon takes 200 files; a message has its limit; and
/// the daemon may have to copy the bytes, which is to be seen.
constexpr std::size_t most_files = 200;
constexpr std::size_t most_path_bytes = std::size_t{512} << 10;
constexpr std::uint64_t most_file_bytes = std::uint64_t{1} << 30;

/// How long the daemon has to hear that an upload is given up; it finds out by itself later.
constexpr std::chrono::seconds discard_limit{5};

Failure interrupted(std::optional<std::int64_t> job, bool attached) {
    static constexpr const char* name = "org.wharf.client.Interrupted";
    if (attached) {
        return {ExitCode::interrupted, name, "Interrupted: an attached push ends with its command",
                "run the same command again"};
    }
    if (!job) {
        return {ExitCode::interrupted, name,
                "Interrupted before the daemon said that it took the push over",
                "`wharf jobs ls` shows whether it did"};
    }
    return {ExitCode::interrupted, name,
            fmt::format("Interrupted: the push goes on in the background as job {}", *job),
            fmt::format("`wharf jobs watch {0}` shows how far it is, `wharf jobs cancel {0}` ends "
                        "it",
                        *job)};
}

/// Whether a job may do better with the same files once somebody has done something about it.
bool may_do_better(const Failure& why) {
    const ExitCode code = why.code();
    return code == ExitCode::refused || code == ExitCode::offline || code == ExitCode::no_space ||
           (code == ExitCode::not_found && why.name() != "org.wharf.FileNotFound");
}

/// The push failed, and the daemon keeps the files.
Failure failed(const Failure& why, std::optional<std::int64_t> job) {
    if (!job || !may_do_better(why)) {
        return why;
    }
    const std::string retry =
        fmt::format("`wharf jobs retry {}` pushes what the daemon has taken already", *job);
    return {why.code(), why.name(), why.message(),
            why.hint().empty() ? retry : fmt::format("{}; then {}", why.hint(), retry)};
}

/// The push did not come to its end here. What the daemon had taken over, it goes on with.
Failure left_alone(const Failure& why, std::optional<std::int64_t> job, bool attached) {
    if (attached) {
        return why;
    }
    if (why.code() != ExitCode::no_daemon) {
        return failed(why, job);
    }
    return {why.code(), why.name(), why.message(),
            job ? fmt::format("the push is safe with the daemon and goes on when it runs again: "
                              "`wharf jobs watch {}`",
                              *job)
                : "`wharf jobs ls` shows whether it took the push over; then it goes on when the "
                  "daemon runs again"};
}

} // namespace

UploadCall::UploadCall(Daemon& daemon, const UploadOrder& order, OnAdded on_added)
    : daemon_{daemon}, on_added_{std::move(on_added)}, attached_{order.attached} {
    id_ = number_member(daemon_.call("org.wharf.Uploads.Begin", order_parameters(order)), "upload");
}

UploadCall::~UploadCall() {
    if (!over_) {
        discard();
    }
}

void UploadCall::add(std::string path, UniqueFd file, std::uint64_t size, bool may_grow) {
    path_bytes_ += path.size();
    file_bytes_ += size;
    json::object entry;
    entry["path"] = std::move(path);
    entry["descriptor"] = descriptors_.size();
    if (may_grow) {
        entry["size"] = size;
    }
    files_.push_back(std::move(entry));
    descriptors_.push_back(std::move(file));
    if (files_.size() >= most_files || path_bytes_ >= most_path_bytes ||
        file_bytes_ >= most_file_bytes) {
        flush();
    }
}

void UploadCall::remove(const std::vector<std::string>& patterns, const std::string& below,
                        const std::vector<std::string>& folders) {
    json::object parameters;
    parameters["upload"] = id_;
    if (!patterns.empty()) {
        parameters["delete_patterns"] = to_array(patterns);
    }
    if (!folders.empty()) {
        parameters["delete_folders"] = to_array(folders);
    }
    if (!below.empty()) {
        parameters["below"] = below;
    }
    daemon_.call_with_files("org.wharf.Uploads.Add", std::move(parameters), {});
}

void UploadCall::flush() {
    if (files_.empty()) {
        return;
    }
    json::object parameters;
    parameters["upload"] = id_;
    parameters["files"] = std::exchange(files_, {});
    const AddedChanges added = read_added(daemon_.call_with_files(
        "org.wharf.Uploads.Add", std::move(parameters), std::exchange(descriptors_, {})));
    path_bytes_ = 0;
    file_bytes_ = 0;
    on_added_(added);
}

UploadResult UploadCall::submit(ProgressDisplay& display) {
    UploadReply reply = call_submit(false, &display);
    if (!reply.result) {
        throw Error{ErrorKind::protocol, "the daemon ended the push without a result"};
    }
    return std::move(*reply.result);
}

std::int64_t UploadCall::submit_detached() {
    const UploadReply reply = call_submit(true, nullptr);
    if (!reply.job) {
        throw Error{ErrorKind::protocol, "the daemon did not say the job's number"};
    }
    return *reply.job;
}

UploadReply UploadCall::call_submit(bool detach, ProgressDisplay* display) {
    flush();
    json::object parameters;
    parameters["upload"] = id_;
    if (detach) {
        parameters["detach"] = true;
    }
    UploadReply seen;
    over_ = true; // from here on a failure may hide that it was started
    try {
        daemon_.stream("org.wharf.Uploads.Submit", std::move(parameters), [&](const auto& message) {
            UploadReply reply = read_upload_reply(message);
            if (reply.job) {
                seen.job = reply.job;
            }
            if (reply.progress && display) {
                display->show(*reply.progress);
            }
            seen.result = std::move(reply.result);
        });
    } catch (const Failure& failure) {
        if (display) {
            display->clear();
        }
        if (failure.code() == ExitCode::interrupted) {
            throw interrupted(seen.job, attached_);
        }
        over_ = seen.job || failure.code() == ExitCode::no_daemon;
        throw left_alone(failure, seen.job, attached_);
    }
    return seen;
}

/// On a connection of its own: that of the upload may have been broken off by a signal.
void UploadCall::discard() noexcept {
    try {
        client::Connection connection{daemon_.socket()};
        json::object parameters;
        parameters["upload"] = id_;
        client::CallOptions options;
        options.silence_limit = discard_limit;
        connection.call("org.wharf.Uploads.Discard", std::move(parameters), std::move(options));
    } catch (...) {
        return; // the daemon drops it by itself when it hears nothing more
    }
}

} // namespace wharf::cli
