#include "client/cli/command_syntax.hpp"

#include <utility>

namespace wharf::cli {

namespace {

std::string find_missing_class(const JobsActCommand& command) {
    return command.priority.empty() || command.ids.empty()
               ? "name jobs and then their class: interactive, normal or background"
               : "";
}

} // namespace

void declare_jobs(CommandLine& line) {
    auto [list, listed] = line.add("jobs ls", JobsListCommand{});
    line.also("jobs ls", "list");
    list.flag("-a,--all", listed.all);
    list.flag("-u,--all-users", listed.all_users);
    list.number("--limit", listed.limit);

    auto [show, shown] = line.add("jobs show", JobsShowCommand{});
    show.job(shown.id);
    auto [watch, watched] = line.add("jobs watch", JobsWatchCommand{});
    watch.job(watched.id);

    for (const auto& [name, action] :
         {std::pair{"jobs pause", JobAction::pause}, std::pair{"jobs resume", JobAction::resume},
          std::pair{"jobs cancel", JobAction::cancel}, std::pair{"jobs retry", JobAction::retry}}) {
        auto [syntax, command] = line.add(name, JobsActCommand{.action = action});
        syntax.jobs(command.ids);
    }
    auto [prioritize, command] =
        line.add("jobs prioritize", JobsActCommand{.action = JobAction::prioritize},
                 Complete<JobsActCommand>{find_missing_class});
    prioritize.jobs_then_choice(command.ids, command.priority,
                                {"interactive", "normal", "background"});
}

} // namespace wharf::cli
