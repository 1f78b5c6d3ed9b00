#include "client/cli/repeated_push.hpp"

#include "base/units.hpp"
#include "client/cli/call_token.hpp"
#include "client/cli/failure.hpp"
#include "client/cli/interrupts.hpp"
#include "client/cli/io.hpp"
#include "client/cli/job_wire.hpp"
#include "client/cli/json_fields.hpp"
#include "client/cli/push.hpp"
#include "client/cli/text.hpp"

#include <fmt/format.h>

namespace wharf::cli {

namespace {

using protocol::ExitCode;

/// More pushes than this that have not ended: they take longer than the period.
constexpr std::size_t usual_queue = 3;

/// Whether the next push may do better without anybody changing the command.
bool may_mend(ExitCode code) {
    return code != ExitCode::usage && code != ExitCode::not_found && code != ExitCode::refused;
}

} // namespace

RepeatedPush::RepeatedPush(const UploadPlan& plan, MakeOrder make_order, const Session& session,
                           ProgressDisplay& display)
    : plan_{plan}, make_order_{std::move(make_order)}, session_{session}, display_{display} {}

void RepeatedPush::run(std::chrono::milliseconds period) {
    Interrupts::postpone();
    display_.finish(fmt::format("pushing what changes in '{}' every {}; Ctrl-C pushes once more "
                                "and ends",
                                printable(plan_.local_path),
                                format_duration(std::chrono::round<std::chrono::seconds>(period))));
    auto next = std::chrono::steady_clock::now();
    for (bool first = true, last = false; !last; first = false) {
        last = Interrupts::sleep_until(next) && !first;
        next = std::max(next + period, std::chrono::steady_clock::now());
        try {
            push();
            continue;
        } catch (const Failure& failure) {
            if (last || (first && !may_mend(failure.code()))) {
                throw;
            }
            tell(failure, session_.is(OutputFormat::json));
        } catch (const Error& error) {
            const Failure failure{error};
            if (last || (first && !may_mend(failure.code()))) {
                throw;
            }
            tell(failure, session_.is(OutputFormat::json));
        }
    }
}

/// One push of all that differs from what was submitted; none when nothing does.
void RepeatedPush::push() {
    std::optional<Daemon> daemon;
    std::optional<UploadOrder> order;
    std::optional<UploadCall> upload;
    const auto begin = [&]() -> UploadCall& {
        if (!upload) {
            order = make_order_();
            daemon.emplace(session_.socket);
            compare_endpoints(*daemon, order->token, session_, display_);
            upload.emplace(*daemon, *order, [](const AddedChanges&) {});
        }
        return *upload;
    };
    Stamps added;
    WalkEvents events;
    events.on_file = [&](const FoundFile& file) { add_changed(file, begin, added); };
    events.on_fault = [this](const Error& fault) { say_once(fault); };
    find_files(plan_, events);
    if (!upload) {
        return;
    }
    const std::int64_t job = upload->submit_detached();
    for (const auto& [path, stamp] : added) {
        submitted_.insert_or_assign(path, stamp);
    }
    jobs_.push_back(job);
    say(job, *order, added);
    look_after(*daemon);
}

RepeatedPush::Stamp RepeatedPush::stamp_of(const struct stat& status) {
    return {status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec,
            static_cast<std::uint64_t>(status.st_size), status.st_ino};
}

void RepeatedPush::add_changed(const FoundFile& file, const std::function<UploadCall&()>& upload,
                               Stamps& added) {
    const auto known = submitted_.find(file.path_in_repo);
    if (known != submitted_.end() && known->second == stamp_of(file.status)) {
        return;
    }
    OpenedFile opened;
    try {
        opened = open_file(file);
    } catch (const Error& fault) {
        say_once(fault); // the others can be pushed meanwhile
        return;
    }
    if (opened.descriptor) {
        const Stamp stamp = stamp_of(opened.status);
        added.insert_or_assign(file.path_in_repo, stamp);
        upload().add(file.path_in_repo, std::move(opened.descriptor), stamp.size, true);
    }
}

void RepeatedPush::say(std::int64_t job, const UploadOrder& order, const Stamps& added) {
    std::uint64_t bytes = 0;
    for (const auto& [path, stamp] : added) {
        bytes += stamp.size;
    }
    if (session_.is(OutputFormat::json)) {
        json::object out = describe(order);
        out["job"] = job;
        out["files"] = added.size();
        out["bytes"] = bytes;
        print_json(out);
    } else if (session_.is(OutputFormat::quiet)) {
        print_result(fmt::format("{}\n", job));
    } else {
        print_result(
            fmt::format("job {}: {}, {}\n", job, count(added.size(), "file"), format_size(bytes)));
    }
}

void RepeatedPush::say_once(const Error& fault) {
    if (said_.insert(fault.message()).second) {
        display_.warn(fmt::format("left out until that changes: {}", fault.message()));
    }
}

/// Says which jobs failed, and when they do not keep up.
void RepeatedPush::look_after(Daemon& daemon) {
    std::erase_if(jobs_, [&](std::int64_t job) { return has_ended(daemon, job); });
    if (jobs_.size() > usual_queue && !warned_of_queue_) {
        warned_of_queue_ = true;
        display_.warn(fmt::format("{} pushes have not ended yet: they take longer than the time "
                                  "between them",
                                  jobs_.size()));
    }
}

bool RepeatedPush::has_ended(Daemon& daemon, std::int64_t job) {
    json::object parameters;
    parameters["id"] = job;
    try {
        const json::object answer = daemon.call("org.wharf.Jobs.Show", std::move(parameters));
        const Job shown = read_shown_job(answer).job;
        if (shown.state == "failed") {
            display_.warn(fmt::format("job {} failed: {}; `wharf jobs retry {}` does it once more",
                                      job, shown.failure ? shown.failure->message : "no reason",
                                      job));
        }
        return shown.has_ended();
    } catch (const Failure& failure) {
        return failure.code() == ExitCode::not_found; // else it is asked again the next time
    }
}

} // namespace wharf::cli
