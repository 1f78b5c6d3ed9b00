#include "client/cli/download_call.hpp"

#include "client/cli/failure.hpp"
#include "client/cli/interrupts.hpp"

#include <fmt/format.h>

namespace wharf::cli {

namespace {

/// What came of a download so far.
struct Received {
    std::optional<std::int64_t> job;
    std::optional<DownloadResult> result;

    void take(DownloadReply reply, ProgressDisplay& display) {
        if (reply.job) {
            job = reply.job;
        }
        if (reply.progress) {
            display.show(*reply.progress);
        }
        if (reply.result) {
            result = std::move(reply.result);
        }
    }
};

/// Says what becomes of the job, which only we know the number of.
Failure interrupted(std::optional<std::int64_t> job) {
    const std::string name = job ? fmt::format("job {}", *job) : "the job";
    const std::string resume =
        job ? fmt::format(", or `wharf jobs resume {}` to have it done in the background", *job)
            : "";
    return {protocol::ExitCode::interrupted, "org.wharf.client.Interrupted",
            fmt::format("Interrupted: {} goes on for others who wait for it, else it pauses", name),
            "run the same command again to go on" + resume};
}

/// Nobody can tell whether the call had arrived.
Failure interrupted_detaching() {
    return {protocol::ExitCode::interrupted, "org.wharf.client.Interrupted",
            "Interrupted before the daemon said that it took the job over",
            "`wharf jobs ls` shows whether it did"};
}

Received call_download(Daemon& daemon, const DownloadRequest& request, bool detach,
                       ProgressDisplay& display) {
    json::object parameters = selection_parameters(request.selection, request.token);
    if (request.force) {
        parameters["force"] = true;
    }
    if (request.priority) {
        parameters["priority"] = *request.priority;
    }
    if (detach) {
        parameters["detach"] = true;
    }
    Received received;
    try {
        daemon.stream("org.wharf.Downloads.Download", std::move(parameters),
                      [&](const json::object& message) {
                          received.take(read_download_reply(message), display);
                      });
    } catch (const Failure&) {
        display.clear();
        if (Interrupts::requested()) {
            throw detach ? interrupted_detaching() : interrupted(received.job);
        }
        throw;
    }
    return received;
}

} // namespace

DownloadResult fetch(Daemon& daemon, const DownloadRequest& request, ProgressDisplay& display) {
    Received received = call_download(daemon, request, false, display);
    if (!received.result) {
        throw Error{ErrorKind::protocol, "the daemon ended the download without a result"};
    }
    return std::move(*received.result);
}

std::variant<std::int64_t, DownloadResult>
start_detached(Daemon& daemon, const DownloadRequest& request, ProgressDisplay& display) {
    Received received = call_download(daemon, request, true, display);
    display.clear();
    if (received.result) {
        return std::move(*received.result);
    }
    if (!received.job) {
        throw Error{ErrorKind::protocol, "the daemon did not say the job's number"};
    }
    return *received.job;
}

Listing list_files(Daemon& daemon, const DownloadRequest& request) {
    Listing listing;
    daemon.stream("org.wharf.Downloads.List",
                  selection_parameters(request.selection, request.token),
                  [&](const json::object& message) { read_listing(message, listing); });
    if (listing.commit.empty()) {
        throw Error{ErrorKind::protocol, "the daemon ended the listing without naming a commit"};
    }
    return listing;
}

} // namespace wharf::cli
