#include "client/cli/command_line.hpp"

#include "client/cli/argument_values.hpp"
#include "client/cli/help_texts.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <deque>

// Of CLI11 only functions that are no templates are used: each of its templates costs as much to
// compile as the rest of a file.

namespace wharf::cli {

namespace {

/// How messages call an option: "--all" for "-a,--all".
std::string label_of(std::string_view names) {
    const auto dashes = names.find("--");
    const auto begin = dashes == std::string_view::npos ? 0 : dashes;
    return std::string{names.substr(begin, names.find(',', begin) - begin)};
}

CLI::Option& add_one(CLI::App& app, const char* names, Take take) {
    return *app.add_option(names, CLI::callback_t{[names, take](const CLI::results_t& values) {
                               for (const std::string& value : values) {
                                   if (const std::string fault = take(value); !fault.empty()) {
                                       throw CLI::ValidationError{label_of(names), fault};
                                   }
                               }
                               return true;
                           }});
}

/// As many values as there are, at least `least`.
CLI::Option& add_many(CLI::App& app, const char* names, int least, Take take) {
    return *add_one(app, names, std::move(take))
                .expected(std::max(least, 1), CLI::detail::expected_max_vector_size)
                ->required(least > 0)
                ->allow_extra_args()
                ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
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

/// Names the first argument that nobody expected.
std::string describe_extras(const CLI::App& app) {
    const Names extras = app.remaining(true);
    const std::string first = extras.empty() ? "" : extras.front();
    return named_command(app).empty() && !first.starts_with('-')
               ? fmt::format("there is no command '{}'", first)
               : fmt::format("'{}' was not expected", first);
}

/// The arguments in the order the parser wants, which is the reverse. It takes "--name=" for an
/// option without a value; the shell's word for an empty one is that, too, so it is split.
Names prepare(int argc, const char* const* argv) {
    Names out;
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

/// --format and its short forms, which exclude each other as in the official client. What was given
/// is known also when the parse failed.
class FormatOptions {
  public:
    explicit FormatOptions(CLI::App& app)
        : format_{&add_one(app, "--format",
                           choice_taker({"auto", "human", "agent", "json", "quiet"},
                                        [](const std::string&) {}))},
          json_{app.add_flag("--json")}, quiet_{app.add_flag("-q,--quiet")} {
        format_->excludes(json_)->excludes(quiet_);
        json_->excludes(quiet_);
    }

    OutputFormat chosen() const {
        const auto named = [this](std::string_view name) {
            return std::ranges::find(format_->results(), name) != format_->results().end();
        };
        if (json_->count() > 0 || named("json")) {
            return OutputFormat::json;
        }
        return quiet_->count() > 0 || named("quiet") ? OutputFormat::quiet : OutputFormat::human;
    }

  private:
    CLI::Option* format_;
    CLI::Option* json_;
    CLI::Option* quiet_;
};

/// A command in the making.
struct Entry {
    std::string name;
    Command command;
    Complete<Command> complete;
    CLI::App& app;
    FormatOptions format{app};
};

} // namespace

struct CommandLine::Parser {
    CLI::App app{"", "wharf"};
    std::optional<std::string> socket;
    bool version = false;
    std::deque<Entry> entries; ///< stay where they are: options point into them

    CLI::App& app_of(std::string_view name);
    Entry* find(std::string_view name);
    std::string find_fault(Entry* chosen);
    ParsedArguments fault(std::string text);
};

/// The parser of this command, made when there is none; "jobs" is made for "jobs ls".
CLI::App& CommandLine::Parser::app_of(std::string_view name) {
    CLI::App* at = &app;
    while (!name.empty()) {
        const std::string word{name.substr(0, name.find(' '))};
        name.remove_prefix(std::min(name.size(), word.size() + 1));
        const auto below = at->get_subcommands(
            [&word](const CLI::App* command) { return command->get_name() == word; });
        at = below.empty() ? at->add_subcommand(word)->fallthrough() : below.front();
    }
    return *at;
}

Entry* CommandLine::Parser::find(std::string_view name) {
    const auto found = std::ranges::find(entries, name, &Entry::name);
    return found == entries.end() ? nullptr : &*found;
}

/// What the parser cannot know: a command that is missing, and values that mean nothing.
std::string CommandLine::Parser::find_fault(Entry* chosen) {
    if (socket && socket->empty()) {
        return "--socket must not be empty";
    }
    if (chosen) {
        return chosen->complete(chosen->command);
    }
    if (version) {
        return {};
    }
    const std::string group = named_command(app);
    Names names;
    for (const CLI::App* below : app_of(group).get_subcommands({})) {
        names.push_back(group + (group.empty() ? "" : " ") + below->get_name());
    }
    return fmt::format("which command? {}", either(names));
}

ParsedArguments CommandLine::Parser::fault(std::string text) {
    const std::string name = named_command(app);
    const Entry* chosen = find(name);
    ParsedArguments parsed;
    parsed.text = std::move(text);
    parsed.hint = fmt::format("see `wharf {}{}--help`", name, name.empty() ? "" : " ");
    parsed.is_error = true;
    parsed.wants_json = chosen && chosen->format.chosen() == OutputFormat::json;
    return parsed;
}

void Syntax::word(const char* label, std::string& value) {
    add_one(*app_, label, text_taker([&value](auto given) {
        value = std::move(given);
    })).required();
}

void Syntax::optional_word(const char* label, std::optional<std::string>& value) {
    add_one(*app_, label, text_taker([&value](auto given) { value = std::move(given); }));
}

void Syntax::words(const char* label, std::vector<std::string>& values, int least) {
    add_many(*app_, label, least,
             text_taker([&values](auto given) { values.push_back(std::move(given)); }));
}

void Syntax::job(std::int64_t& id) {
    add_one(*app_, "ID", job_taker([&id](std::int64_t given) { id = given; })).required();
}

void Syntax::jobs(std::vector<std::int64_t>& ids) {
    add_many(*app_, "ID", 1, job_taker([&ids](std::int64_t given) { ids.push_back(given); }));
}

void Syntax::jobs_then_choice(std::vector<std::int64_t>& ids, std::string& value,
                              std::vector<std::string> allowed) {
    const Take take_id = job_taker([&ids](std::int64_t given) { ids.push_back(given); });
    const Take take_word =
        choice_taker(std::move(allowed), [&value](auto given) { value = std::move(given); });
    add_many(*app_, "ID", 1, [&value, take_id, take_word](const std::string& given) {
        if (!value.empty()) {
            return fmt::format("'{}' was not expected behind '{}'", given, value);
        }
        return whole_number(given) ? take_id(given) : take_word(given);
    });
}

void Syntax::flag(const char* names, bool& value) {
    app_->add_flag_function(names, [&value](std::int64_t sum) { value = sum > 0; })
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void Syntax::text(const char* names, std::optional<std::string>& value) {
    add_one(*app_, names, text_taker([&value](auto given) { value = std::move(given); }));
}

void Syntax::number(const char* names, std::optional<std::int64_t>& value) {
    add_one(*app_, names, [&value](const std::string& given) {
        value = whole_number(given);
        return value && *value > 0 ? std::string{}
                                   : fmt::format("'{}' is not a number above 0", given);
    });
}

void Syntax::period(const char* names, std::optional<std::chrono::milliseconds>& value) {
    add_one(*app_, names, [&value](const std::string& given) {
        value = read_period(given);
        return value ? std::string{}
                     : fmt::format("'{}' is no time between 1s and 366d; \"5\" and \"5m\" are five "
                                   "minutes",
                                   given);
    });
}

void Syntax::choice(const char* names, std::optional<std::string>& value,
                    std::vector<std::string> allowed) {
    add_one(*app_, names,
            choice_taker(std::move(allowed), [&value](auto given) { value = std::move(given); }));
}

void Syntax::list(const char* names, std::vector<std::string>& values) {
    add_many(*app_, names, 0, text_taker([&values](auto given) {
        values.push_back(std::move(given));
    })).allow_extra_args(false);
}

void Syntax::ignored(const char* names, bool* given) {
    add_one(*app_, names, [given](const std::string& number) {
        if (given != nullptr) {
            *given = true;
        }
        return whole_number(number) ? std::string{} : fmt::format("'{}' is not a number", number);
    });
}

void Syntax::ignored_flag(const char* names) {
    app_->add_flag(names);
}

void Syntax::refused(const char* names, std::string why) {
    app_->add_option(names, CLI::callback_t{[why](const CLI::results_t&) -> bool {
                         throw CLI::ValidationError{why};
                     }})
        ->expected(0, 1);
}

CommandLine::CommandLine() : parser_{std::make_unique<Parser>()} {
    parser_->app.set_help_flag("-h,--help");
    Syntax root{parser_->app};
    root.text("--socket", parser_->socket);
    root.flag("--version", parser_->version);
}

CommandLine::~CommandLine() = default;

Command& CommandLine::add_command(const std::string& name, Command initial,
                                  Complete<Command> complete) {
    return parser_->entries
        .emplace_back(name, std::move(initial), std::move(complete), parser_->app_of(name))
        .command;
}

Syntax CommandLine::syntax_of(std::string_view name) {
    return Syntax{parser_->app_of(name)};
}

void CommandLine::also(const std::string& name, const char* other) {
    parser_->app_of(name).alias(other);
}

ParsedArguments CommandLine::parse(int argc, const char* const* argv) {
    const CLI::App& app = parser_->app;
    try {
        parser_->app.parse(prepare(argc, argv));
    } catch (const CLI::CallForHelp&) {
        return {std::nullopt, std::string{help_text(named_command(app))}, {}, false, false};
    } catch (const CLI::ExtrasError&) {
        return parser_->fault(describe_extras(app));
    } catch (const CLI::ParseError& error) {
        return parser_->fault(error.what());
    }
    Entry* chosen = parser_->version ? nullptr : parser_->find(named_command(app));
    if (std::string text = parser_->find_fault(chosen); !text.empty()) {
        return parser_->fault(std::move(text));
    }
    Options options;
    options.socket = parser_->socket;
    options.command = VersionCommand{};
    if (chosen) {
        options.format = chosen->format.chosen();
        options.command = std::move(chosen->command);
    }
    return {std::move(options), {}, {}, false, false};
}

} // namespace wharf::cli
