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
    return {protocol::ExitCode::interrupted, "org.wharf.client.Interrupted",
            fmt::format("Interrupted: {} goes on for others who wait for it, else it pauses", name),
            "run the same command again to go on"};
}

} // namespace

DownloadResult fetch(Daemon& daemon, const DownloadRequest& request, ProgressDisplay& display) {
    json::object parameters = selection_parameters(request.selection, request.token);
    if (request.force) {
        parameters["force"] = true;
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
            throw interrupted(received.job);
        }
        throw;
    }
    if (!received.result) {
        throw Error{ErrorKind::protocol, "the daemon ended the download without a result"};
    }
    return std::move(*received.result);
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
