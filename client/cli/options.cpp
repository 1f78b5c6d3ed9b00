#include "client/cli/options.hpp"

#include "client/cli/help_texts.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace wharf::cli {

namespace {

/// Switches of --format and its short forms, which exclude each other as in the official client.
struct FormatChoice {
    std::string format;
    bool json = false;
    bool quiet = false;

    OutputFormat chosen() const {
        if (json || format == "json") {
            return OutputFormat::json;
        }
        return quiet || format == "quiet" ? OutputFormat::quiet : OutputFormat::human;
    }
};

/// Everything the parser writes into; one per parse.
struct Values {
    std::string socket;
    FormatChoice format;
    DownloadCommand download;
    std::string repo_type;
    std::string revision;
    std::string local_dir;
    std::string token;
    std::string cache_dir;
    std::int64_t max_workers = 0;
    bool all_jobs = false;
    std::int64_t job = 0;
    bool version = false;
};

/// An option that takes one value each time it is given and gathers them.
void add_list(CLI::App& app, const char* name, std::vector<std::string>& list) {
    app.add_option(name, list)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void add_format(CLI::App& app, FormatChoice& choice) {
    auto* format = app.add_option("--format", choice.format);
    format->check(CLI::IsMember({"auto", "human", "agent", "json", "quiet"}));
    auto* json = app.add_flag("--json", choice.json);
    auto* quiet = app.add_flag("-q,--quiet", choice.quiet);
    format->excludes(json)->excludes(quiet);
    json->excludes(quiet);
}

CLI::App* add_command(CLI::App& app, const char* name) {
    CLI::App* command = app.add_subcommand(name);
    command->fallthrough(); // --socket may stand behind the command's name
    return command;
}

void add_download(CLI::App& app, Values& values) {
    CLI::App* command = add_command(app, "download");
    DownloadArguments& what = values.download.what;
    command->add_option("REPO", what.repo)->required();
    command->add_option("FILES", what.files);
    command->add_option("--repo-type,--type", values.repo_type)
        ->check(CLI::IsMember({"model", "dataset", "space"}));
    command->add_option("--revision", values.revision);
    add_list(*command, "--include", what.include);
    add_list(*command, "--exclude", what.exclude);
    command->add_option("--local-dir", values.local_dir);
    command->add_flag("--force-download,!--no-force-download", values.download.force);
    command->add_flag("--dry-run,!--no-dry-run", values.download.dry_run);
    command->add_option("--token", values.token);
    command->add_option("--max-workers", values.max_workers);
    command->add_option("--cache-dir", values.cache_dir);
    add_format(*command, values.format);
}

CLI::Validator job_number() {
    return {[](const std::string& text) {
                const bool digits = text.find_first_not_of("0123456789") == std::string::npos;
                return digits && !text.empty() && text.size() <= 18
                           ? std::string{}
                           : fmt::format("'{}' is not a job's number", text);
            },
            ""};
}

void add_jobs(CLI::App& app, Values& values) {
    CLI::App* jobs = add_command(app, "jobs");
    CLI::App* list = add_command(*jobs, "ls");
    list->alias("list");
    list->add_flag("-a,--all", values.all_jobs);
    add_format(*list, values.format);
    for (const char* name : {"show", "cancel"}) {
        CLI::App* command = add_command(*jobs, name);
        command->add_option("ID", values.job)->required()->check(job_number());
        add_format(*command, values.format);
    }
}

void describe(CLI::App& app, Values& values) {
    app.set_help_flag("-h,--help");
    app.add_option("--socket", values.socket);
    app.add_flag("--version", values.version);
    add_download(app, values);
    add_jobs(app, values);
    for (const char* name : {"status", "env", "version"}) {
        add_format(*add_command(app, name), values.format);
    }
}

std::optional<std::string> if_given(const CLI::App& app, const char* name,
                                    const std::string& value) {
    return app.count(name) > 0 ? std::optional{value} : std::nullopt;
}

Command chosen_jobs_command(const CLI::App& jobs, const Values& values) {
    if (jobs.got_subcommand("show")) {
        return JobsShowCommand{values.job};
    }
    if (jobs.got_subcommand("cancel")) {
        return JobsCancelCommand{values.job};
    }
    return JobsListCommand{values.all_jobs};
}

Command chosen_command(const CLI::App& app, Values& values) {
    if (app.got_subcommand("download")) {
        const CLI::App& command = *app.get_subcommand("download");
        DownloadCommand& download = values.download;
        download.what.repo_type = if_given(command, "--repo-type", values.repo_type);
        download.what.revision = if_given(command, "--revision", values.revision);
        download.local_dir = if_given(command, "--local-dir", values.local_dir);
        download.token = if_given(command, "--token", values.token);
        return std::move(download);
    }
    if (app.got_subcommand("status")) {
        return StatusCommand{};
    }
    if (app.got_subcommand("jobs")) {
        return chosen_jobs_command(*app.get_subcommand("jobs"), values);
    }
    if (app.got_subcommand("env")) {
        return EnvCommand{};
    }
    return VersionCommand{};
}

/// The innermost command that was named: "jobs show".
std::string named_command(const CLI::App& app) {
    std::string name;
    for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
        at = at->get_subcommands().front();
        name += (name.empty() ? "" : " ") + at->get_name();
    }
    return name;
}

/// What the parser cannot know: commands that lack one, options that are somebody else's, and
/// values that mean nothing.
std::string find_fault(const CLI::App& app, const Values& values) {
    const std::string command = named_command(app);
    if (command.empty() && !values.version) {
        return "which command? download, status, jobs, env or version";
    }
    if (command == "jobs") {
        return "which command? jobs ls, jobs show or jobs cancel";
    }
    if (app.count("--socket") > 0 && values.socket.empty()) {
        return "--socket must not be empty";
    }
    if (command != "download") {
        return {};
    }
    const CLI::App& download = *app.get_subcommand("download");
    if (download.count("--cache-dir") > 0) {
        return "--cache-dir cannot be chosen by a call: the daemon keeps one cache for all. "
               "Use --local-dir to have the files in a folder of yours";
    }
    if (download.count("--local-dir") > 0 && values.local_dir.empty()) {
        return "--local-dir must not be empty";
    }
    return {};
}

/// Names the first argument that nobody expected.
std::string describe_extras(const CLI::App& app) {
    const std::vector<std::string> extras = app.remaining(true);
    const std::string first = extras.empty() ? "" : extras.front();
    return named_command(app).empty() && !first.starts_with('-')
               ? fmt::format("there is no command '{}'", first)
               : fmt::format("'{}' was not expected", first);
}

ParsedArguments fault(const CLI::App& app, const Values& values, std::string_view text) {
    const std::string command = named_command(app);
    ParsedArguments parsed;
    parsed.text = text;
    parsed.hint = fmt::format("see `wharf {}{}--help`", command, command.empty() ? "" : " ");
    parsed.is_error = true;
    parsed.wants_json = values.format.chosen() == OutputFormat::json;
    return parsed;
}

/// The arguments in the order the parser wants, which is the reverse. It takes "--name=" for an
/// option without a value; the shell's word for an empty one is that, too, so it is split.
std::vector<std::string> prepare(int argc, const char* const* argv) {
    std::vector<std::string> out;
    bool options_ended = false;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument{argv[i]};
        options_ended = options_ended || argument == "--";
        if (!options_ended && argument.starts_with("--") &&
            argument.find('=') == argument.size() - 1) {
            out.emplace_back(argument.substr(0, argument.size() - 1));
            out.emplace_back();
        } else {
            out.emplace_back(argument);
        }
    }
    std::ranges::reverse(out);
    return out;
}

} // namespace

ParsedArguments parse_arguments(int argc, const char* const* argv) {
    CLI::App app{"", "wharf"};
    Values values;
    describe(app, values);
    try {
        app.parse(prepare(argc, argv));
    } catch (const CLI::CallForHelp&) {
        return {std::nullopt, std::string{help_text(named_command(app))}, {}, false, false};
    } catch (const CLI::ExtrasError&) {
        return fault(app, values, describe_extras(app));
    } catch (const CLI::ParseError& error) {
        return fault(app, values, error.what());
    }
    if (const std::string text = find_fault(app, values); !text.empty()) {
        return fault(app, values, text);
    }
    Options options;
    options.socket = if_given(app, "--socket", values.socket);
    options.format = values.format.chosen();
    options.command = values.version ? VersionCommand{} : chosen_command(app, values);
    return {std::move(options), {}, {}, false, false};
}

} // namespace wharf::cli
