#include "client/cli/command_upload.hpp"

#include "client/cli/call_token.hpp"
#include "client/cli/failure.hpp"
#include "client/cli/interrupts.hpp"
#include "client/cli/push.hpp"
#include "client/cli/repeated_push.hpp"
#include "client/cli/repo_reference.hpp"
#include "client/cli/text.hpp"

#include <fmt/format.h>

#include <chrono>
#include <unistd.h>

// A folder is walked twice: once to see that all of it can be pushed and how much that is, and once
// to hand the files over, so that nothing is copied for a push that cannot be made, and the names
// of a hundred thousand files are never held together.

namespace wharf::cli {

namespace {

[[noreturn]] void throw_fault(const Error& error) {
    throw error;
}

/// Does what comes before an upload is submitted: a signal that ends it leaves nothing behind.
template <typename Work>
auto before_submit(Work&& work) {
    try {
        return work();
    } catch (const Failure& failure) {
        if (failure.code() != protocol::ExitCode::interrupted) {
            throw;
        }
        throw Failure{failure.code(), failure.name(), "Interrupted: nothing was pushed",
                      "run the same command again"};
    }
}

/// What there is to push.
struct Survey {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::uint64_t passed_over = 0;
    std::string first_passed_over;
};

Survey survey(const UploadPlan& plan) {
    Survey seen;
    WalkEvents events;
    events.on_file = [&seen](const FoundFile& file) {
        check_readable(file).value();
        ++seen.files;
        seen.bytes += static_cast<std::uint64_t>(file.status.st_size);
    };
    events.on_fault = throw_fault;
    events.on_passed_over = [&seen](const std::string& shown) {
        if (seen.passed_over++ == 0) {
            seen.first_passed_over = shown;
        }
    };
    find_files(plan, events);
    return seen;
}

void check_survey(const Survey& seen, const UploadPlan& plan, ProgressDisplay& display) {
    if (seen.passed_over > 0) {
        const std::string others =
            seen.passed_over > 1 ? fmt::format(" and {} more", seen.passed_over - 1) : "";
        display.warn(fmt::format("not pushed: '{}'{}; links to folders and what is no file are "
                                 "passed over",
                                 seen.first_passed_over, others));
    }
    if (seen.files == 0 && plan.remove.empty()) {
        const bool filtered = !plan.include.empty() || !plan.exclude.empty();
        throw Error{ErrorKind::invalid_request,
                    fmt::format("there is nothing to push: {} in '{}'",
                                filtered ? "no file matches" : "no file is",
                                printable(plan.local_path)),
                    filtered ? "patterns are matched on the whole path below the folder" : ""};
    }
}

/// Shows how the daemon takes the files in.
class StagingProgress {
  public:
    StagingProgress(const Survey& seen, ProgressDisplay& display) : display_{display} {
        progress_.state = "staging";
        progress_.files_total = seen.files;
        progress_.bytes_total = seen.bytes;
    }

    void show(const AddedChanges& added) {
        const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
        if (elapsed.count() < 0.5) { // what is quicker needs no progress
            return;
        }
        progress_.files_done = added.files;
        progress_.bytes_done = added.bytes;
        progress_.bytes_per_second =
            static_cast<std::uint64_t>(static_cast<double>(added.bytes) / elapsed.count());
        display_.show(progress_);
    }

  private:
    ProgressDisplay& display_;
    Progress progress_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void hand_over(const UploadPlan& plan, UploadCall& upload) {
    WalkEvents events;
    events.on_file = [&upload](const FoundFile& file) {
        OpenedFile opened = open_file(file);
        if (!opened.descriptor) {
            throw Error{
                ErrorKind::storage,
                fmt::format("'{}' has vanished while the folder was read", printable(file.shown)),
                "push the folder when nobody changes it"};
        }
        upload.add(file.path_in_repo, std::move(opened.descriptor),
                   static_cast<std::uint64_t>(opened.status.st_size), false);
    };
    events.on_fault = throw_fault;
    find_files(plan, events);
    if (!plan.remove.empty()) {
        upload.remove(plan.remove, plan.path_in_repo);
    }
    upload.flush();
}

/// A push that finds no room for copies can still be made without.
void hand_over_if_there_is_room(const UploadPlan& plan, UploadCall& upload) {
    try {
        hand_over(plan, upload);
    } catch (const Failure& failure) {
        if (failure.code() != protocol::ExitCode::no_space) {
            throw;
        }
        throw Failure{failure.code(), failure.name(), failure.message(),
                      fmt::format("{}{}or push with --attached, which makes no copy",
                                  failure.hint(), failure.hint().empty() ? "" : "; ")};
    }
}

UploadPlan make_plan(const UploadCommand& command, ProgressDisplay& display) {
    UploadPlan plan = plan_upload(command.what, look_at).value();
    if (command.folder_only && plan.is_file) {
        throw Error{ErrorKind::invalid_request,
                    fmt::format("'{}' is a file", printable(plan.local_path)),
                    "`wharf upload` pushes single files"};
    }
    for (const std::string& warning : plan.warnings) {
        display.warn(warning);
    }
    if (command.every && !plan.remove.empty()) {
        display.warn("--delete is ignored with --every");
    }
    return plan;
}

UploadOrder order_for(const UploadPlan& plan, const UploadCommand& command, const Session& session,
                      ProgressDisplay& display) {
    const std::string what = plan.is_file ? plan.path_in_repo : "folder";
    UploadOrder order =
        make_order(command.commit, fmt::format("Upload {} with wharf", what), session, display);
    order.repo = plan.repo;
    order.repo_type = plan.repo_type;
    order.revision = plan.revision;
    order.create = true;
    order.is_private = command.is_private;
    order.attached = command.attached;
    return order;
}

void push_once(const UploadPlan& plan, const UploadCommand& command, const Session& session,
               ProgressDisplay& display) {
    const Survey seen = before_submit([&] { return survey(plan); });
    check_survey(seen, plan, display);
    const UploadOrder order = order_for(plan, command, session, display);
    Daemon daemon{session.socket};
    compare_endpoints(daemon, order.token, session, display);
    StagingProgress progress{seen, display};
    const auto on_added = [&](const AddedChanges& added) { progress.show(added); };
    UploadCall upload = before_submit([&] { return UploadCall{daemon, order, on_added}; });
    before_submit([&] { hand_over_if_there_is_room(plan, upload); });
    finish_push(upload, order, command.commit.detach, session, display);
}

/// "Delete a.txt *.json with wharf", of a length that a title may have.
std::string deletion_message(const std::vector<std::string>& patterns) {
    std::string named;
    for (const std::string& pattern : patterns) {
        named += (named.empty() ? "" : " ") + pattern;
    }
    static constexpr std::size_t longest = 60;
    return fmt::format("Delete {} with wharf",
                       named.size() <= longest ? named : count(patterns.size(), "pattern"));
}

bool is_plain_folder(const std::string& pattern) {
    return pattern.ends_with('/') && pattern.find_first_of("*?[") == std::string::npos;
}

} // namespace

void run_upload(const UploadCommand& command, const Session& session) {
    ProgressDisplay display{STDERR_FILENO, session.progress_mode(), session.screen};
    if (command.named_workers && !session.is(OutputFormat::quiet)) {
        display.note("--num-workers changes nothing: the daemon decides about connections");
    }
    const UploadPlan plan = make_plan(command, display);
    if (!command.every) {
        push_once(plan, command, session, display);
        return;
    }
    const auto order = [&] {
        UploadOrder made = order_for(plan, command, session, display);
        made.message = command.commit.message.value_or("Scheduled Commit");
        return made;
    };
    RepeatedPush{plan, order, session, display}.run(*command.every);
}

void run_delete_files(const DeleteFilesCommand& command, const Session& session) {
    ProgressDisplay display{STDERR_FILENO, session.progress_mode(), session.screen};
    const RepoReference place =
        find_repo(command.repo, command.repo_type, command.revision).value();
    if (place.path) {
        throw Error{ErrorKind::invalid_request,
                    fmt::format("'{}' names a path; name it behind the repo", command.repo)};
    }
    UploadOrder order =
        make_order(command.commit, deletion_message(command.patterns), session, display);
    order.repo = place.repo;
    order.repo_type = place.repo_type.value_or("model");
    order.revision = place.revision.value_or("main");
    std::vector<std::string> patterns;
    std::vector<std::string> folders;
    for (const std::string& pattern : command.patterns) {
        if (is_plain_folder(pattern)) {
            folders.push_back(clean_repo_folder(pattern).value());
        } else {
            patterns.push_back(pattern);
        }
    }
    Daemon daemon{session.socket};
    compare_endpoints(daemon, order.token, session, display);
    UploadCall upload{daemon, order, [](const AddedChanges&) {}};
    upload.remove(patterns, "", folders);
    finish_push(upload, order, command.commit.detach, session, display);
}

} // namespace wharf::cli
