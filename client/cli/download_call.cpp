#include "client/cli/download_call.hpp"

#include "client/cli/failure.hpp"
#include "client/cli/interrupts.hpp"

#include <fmt/format.h>

namespace wharf::cli {

namespace {

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
    std::optional<std::int64_t> job;
    std::optional<DownloadResult> result;
    try {
        daemon.stream("org.wharf.Downloads.Download", std::move(parameters),
                      [&](const json::object& message) {
                          DownloadReply reply = read_download_reply(message);
                          if (reply.job) {
                              job = reply.job;
                          }
                          if (reply.progress) {
                              display.show(*reply.progress);
                          }
                          if (reply.result) {
                              result = std::move(reply.result);
                          }
                      });
    } catch (const Failure&) {
        display.clear();
        if (Interrupts::requested()) {
            throw interrupted(job);
        }
        throw;
    }
    if (!result) {
        throw Error{ErrorKind::protocol, "the daemon ended the download without a result"};
    }
    return std::move(*result);
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
