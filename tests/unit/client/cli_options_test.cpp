#include "client/cli/help_texts.hpp"
#include "client/cli/options.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace wharf::cli;

namespace {

ParsedArguments parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "wharf");
    return parse_arguments(static_cast<int>(arguments.size()), arguments.data());
}

DownloadCommand download(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "download");
    const ParsedArguments parsed = parse(std::move(arguments));
    REQUIRE_MESSAGE(parsed.options.has_value(), parsed.text);
    return std::get<DownloadCommand>(parsed.options->command);
}

using List = std::vector<std::string>;

} // namespace

TEST_CASE("all that download takes") {
    const DownloadCommand command = download({"org/model",   "a",
                                              "--repo-type", "dataset",
                                              "b",           "--revision=v1",
                                              "--include",   "x",
                                              "--include=y", "--exclude",
                                              "z",           "--local-dir",
                                              "d",           "--force-download",
                                              "--dry-run",   "--token",
                                              "t",           "--max-workers",
                                              "3",           "c"});
    CHECK(command.what.repo == "org/model");
    CHECK(command.what.files == List{"a", "b", "c"});
    CHECK(command.what.repo_type == "dataset");
    CHECK(command.what.revision == "v1");
    CHECK(command.what.include == List{"x", "y"});
    CHECK(command.what.exclude == List{"z"});
    CHECK(command.local_dir == "d");
    CHECK(command.token == "t");
    CHECK(command.force);
    CHECK(command.dry_run);
}

TEST_CASE("what is not given is not there, which differs from empty") {
    const DownloadCommand command = download({"org/model"});
    CHECK(!command.what.repo_type);
    CHECK(!command.what.revision);
    CHECK(!command.local_dir);
    CHECK(!command.token);
    CHECK(!command.force);
    CHECK(download({"org/model", "--token="}).token == "");
    CHECK(download({"org/model", "--token", ""}).token == "");
    CHECK(download({"org/model", "--type", "space"}).what.repo_type == "space");
    CHECK(!download({"org/model", "--force-download", "--no-force-download"}).force);
}

TEST_CASE("names that look like options stand behind two dashes") {
    CHECK(download({"org/model", "--", "--json", "-q"}).what.files == List{"--json", "-q"});
}

TEST_CASE("formats") {
    const auto format = [](std::vector<const char*> arguments) {
        arguments.insert(arguments.begin(), {"download", "r"});
        return parse(std::move(arguments)).options.value().format;
    };
    CHECK(format({}) == OutputFormat::human);
    CHECK(format({"--json"}) == OutputFormat::json);
    CHECK(format({"-q"}) == OutputFormat::quiet);
    CHECK(format({"--format", "json"}) == OutputFormat::json);
    CHECK(format({"--format=quiet"}) == OutputFormat::quiet);
    CHECK(format({"--format=auto"}) == OutputFormat::human);
    for (const std::vector<const char*>& two :
         std::vector<std::vector<const char*>>{{"download", "r", "--json", "-q"},
                                               {"download", "r", "--format", "json", "--json"},
                                               {"download", "r", "--format", "yaml"}}) {
        const ParsedArguments parsed = parse(two);
        CHECK(parsed.is_error);
        CHECK(!parsed.options);
    }
}

TEST_CASE("the other commands") {
    const auto command = [](std::vector<const char*> arguments) {
        return parse(std::move(arguments)).options.value().command;
    };
    CHECK(std::holds_alternative<StatusCommand>(command({"status"})));
    CHECK(std::holds_alternative<EnvCommand>(command({"env"})));
    CHECK(std::holds_alternative<VersionCommand>(command({"version"})));
    CHECK(std::holds_alternative<VersionCommand>(command({"--version"})));
    CHECK(!std::get<JobsListCommand>(command({"jobs", "ls"})).all);
    CHECK(std::get<JobsListCommand>(command({"jobs", "list", "-a"})).all);
    CHECK(std::get<JobsShowCommand>(command({"jobs", "show", "12"})).id == 12);
    CHECK(std::get<JobsWatchCommand>(command({"jobs", "watch", "12"})).id == 12);
    CHECK(!std::get<JobsListCommand>(command({"jobs", "ls"})).limit);
    CHECK(std::get<JobsListCommand>(command({"jobs", "ls", "--limit", "5"})).limit == 5);
    CHECK(!std::get<LoginCommand>(command({"auth", "login"})).token);
    CHECK(std::get<LoginCommand>(command({"auth", "login", "--token", "t"})).token == "t");
    CHECK(std::holds_alternative<LogoutCommand>(command({"auth", "logout"})));
    CHECK(std::get<WhoAmICommand>(command({"auth", "whoami", "--token=t"})).token == "t");
    CHECK(!std::get<TokensListCommand>(command({"auth", "list"})).all);
    CHECK(std::get<TokensListCommand>(command({"auth", "ls", "--all"})).all);
    CHECK(parse({"--socket", "/s", "status"}).options->socket == "/s");
    CHECK(parse({"jobs", "ls", "--socket=/s"}).options->socket == "/s");
    CHECK(!parse({"status"}).options->socket);
}

TEST_CASE("what can be done to jobs, several at once") {
    const auto act = [](std::vector<const char*> arguments) {
        arguments.insert(arguments.begin(), "jobs");
        const ParsedArguments parsed = parse(std::move(arguments));
        REQUIRE_MESSAGE(parsed.options.has_value(), parsed.text);
        return std::get<JobsActCommand>(parsed.options->command);
    };
    using Ids = std::vector<std::int64_t>;
    for (const auto& [name, action] :
         {std::pair{"pause", JobAction::pause}, std::pair{"resume", JobAction::resume},
          std::pair{"cancel", JobAction::cancel}, std::pair{"retry", JobAction::retry}}) {
        CHECK(act({name, "7"}).action == action);
        CHECK(act({name, "7"}).ids == Ids{7});
        CHECK(act({name, "7", "--quiet", "9", "8"}).ids == Ids{7, 9, 8});
    }
    const JobsActCommand later = act({"prioritize", "7", "8", "background"});
    CHECK(later.action == JobAction::prioritize);
    CHECK(later.ids == Ids{7, 8});
    CHECK(later.priority == "background");
}

TEST_CASE("what is left to the daemon") {
    CHECK(!download({"org/model"}).detach);
    CHECK(!download({"org/model"}).priority);
    CHECK(download({"org/model", "--detach", "--priority", "interactive"}).detach);
    CHECK(download({"org/model", "--priority", "interactive"}).priority == "interactive");
    const auto prefetch = [](std::vector<const char*> arguments) {
        arguments.insert(arguments.begin(), "prefetch");
        return std::get<DownloadCommand>(parse(std::move(arguments)).options.value().command);
    };
    const DownloadCommand command = prefetch({"org/model", "a", "--type=space", "--revision", "v1",
                                              "--include", "x", "--exclude", "y", "--token", "t"});
    CHECK(command.detach);
    CHECK(command.priority == "background");
    CHECK(command.what.files == List{"a"});
    CHECK(command.what.repo_type == "space");
    CHECK(command.what.revision == "v1");
    CHECK(command.what.include == List{"x"});
    CHECK(command.what.exclude == List{"y"});
    CHECK(command.token == "t");
    CHECK(prefetch({"org/model", "--priority", "normal"}).priority == "normal");
}

TEST_CASE("what is wrong is said with where help is") {
    struct Case {
        std::vector<const char*> arguments;
        const char* text;
        const char* hint;
    };
    for (const auto& [arguments, text, hint] : std::vector<Case>{
             {{}, "which command?", "see `wharf --help`"},
             {{"downlod", "x"}, "'downlod'", "see `wharf --help`"},
             {{"download"}, "REPO", "see `wharf download --help`"},
             {{"download", "r", "--nope"}, "'--nope'", "see `wharf download --help`"},
             {{"download", "r", "--cache-dir", "x"}, "--local-dir", "see `wharf download --help`"},
             {{"jobs"}, "jobs ls", "see `wharf jobs --help`"},
             {{"jobs", "show", "1x"}, "'1x'", "see `wharf jobs show --help`"},
             {{"jobs", "show", "9999999999999999999"},
              "job's number",
              "see `wharf jobs show --help`"},
             {{"status", "extra"}, "'extra'", "see `wharf status --help`"},
             {{"jobs", "ls", "--limit", "0"}, "'0'", "see `wharf jobs ls --help`"},
             {{"jobs", "pause"}, "ID", "see `wharf jobs pause --help`"},
             {{"jobs", "retry", "7", "x"}, "'x'", "see `wharf jobs retry --help`"},
             {{"jobs", "prioritize", "7"}, "class", "see `wharf jobs prioritize --help`"},
             {{"jobs", "prioritize", "7", "8"}, "class", "see `wharf jobs prioritize --help`"},
             {{"jobs", "prioritize", "low"}, "'low'", "see `wharf jobs prioritize --help`"},
             {{"jobs", "prioritize", "normal"}, "class", "see `wharf jobs prioritize --help`"},
             {{"jobs", "prioritize", "7", "normal", "8"},
              "'8'",
              "see `wharf jobs prioritize --help`"},
             {{"download", "r", "--priority", "low"}, "'low'", "see `wharf download --help`"},
             {{"download", "r", "--detach", "--local-dir", "d"},
              "Detach without it",
              "see `wharf download --help`"},
             {{"download", "r", "--detach", "--dry-run"}, "dry run", "see `wharf download --help`"},
             {{"prefetch", "r", "--local-dir", "d"},
              "wharf download --local-dir",
              "see `wharf prefetch --help`"},
             {{"prefetch", "r", "--dry-run"},
              "wharf download --dry-run",
              "see `wharf prefetch --help`"},
         }) {
        const ParsedArguments parsed = parse(arguments);
        CAPTURE(parsed.text);
        CHECK(parsed.is_error);
        CHECK(parsed.text.find(text) != std::string::npos);
        CHECK(parsed.hint == hint);
    }
    CHECK(parse({"download", "--json", "--nope"}).wants_json);
    CHECK(parse({"jobs", "show", "x", "--json"}).wants_json);
    CHECK(parse({"jobs", "show", "x", "--format", "json"}).wants_json);
    CHECK(parse({"download", "--json"}).wants_json);
}

TEST_CASE("help names every option, and only those that there are") {
    const std::vector<std::pair<std::string, std::vector<const char*>>> commands{
        {"", {}},
        {"download", {"download"}},
        {"prefetch", {"prefetch"}},
        {"status", {"status"}},
        {"jobs", {"jobs"}},
        {"jobs ls", {"jobs", "ls"}},
        {"jobs show", {"jobs", "show"}},
        {"jobs watch", {"jobs", "watch"}},
        {"jobs pause", {"jobs", "pause"}},
        {"jobs resume", {"jobs", "resume"}},
        {"jobs cancel", {"jobs", "cancel"}},
        {"jobs retry", {"jobs", "retry"}},
        {"jobs prioritize", {"jobs", "prioritize"}},
        {"auth", {"auth"}},
        {"auth login", {"auth", "login"}},
        {"auth logout", {"auth", "logout"}},
        {"auth whoami", {"auth", "whoami"}},
        {"auth list", {"auth", "list"}},
        {"quota", {"quota"}},
        {"quota ls", {"quota", "ls"}},
        {"quota release", {"quota", "release"}},
        {"env", {"env"}},
        {"version", {"version"}}};
    for (const auto& [name, arguments] : commands) {
        CAPTURE(name);
        std::vector<const char*> with_help = arguments;
        with_help.push_back("--help");
        const ParsedArguments parsed = parse(with_help);
        CHECK(!parsed.is_error);
        CHECK(parsed.text == help_text(name));
        CHECK(parsed.text.find(name.empty() ? "wharf" : "wharf " + name) != std::string::npos);
    }
    for (const char* option :
         {"--repo-type", "--type", "--revision", "--include", "--exclude", "--local-dir",
          "--force-download", "--dry-run", "--token", "--max-workers", "--detach", "--priority",
          "--format", "--json", "--quiet"}) {
        CAPTURE(option);
        CHECK(help_text("download").find(option) != std::string_view::npos);
    }
}
