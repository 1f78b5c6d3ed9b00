#pragma once

#include "client/cli/options.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

/// Which words the command line is made of. The only place that knows the library that parses it,
/// which takes long to compile: what a command accepts is declared without seeing it.
namespace wharf::cli {

/// What one command accepts, and where it goes when it is given; what is not given stays as it is.
/// `names` lists the ways to write an option: "-a,--all". Borrows the targets until the parse is
/// done.
class Syntax {
  public:
    explicit Syntax(CLI::App& app) : app_{&app} {}

    /// A word without a dash that must be there; `label` is its name in messages.
    void word(const char* label, std::string& value);
    /// A word that may be missing; those after it then are, too.
    void optional_word(const char* label, std::optional<std::string>& value);
    /// As many of them as there are, at least `least`.
    void words(const char* label, std::vector<std::string>& values, int least);
    /// The number of a job, and of one or more jobs.
    void job(std::int64_t& id);
    void jobs(std::vector<std::int64_t>& ids);
    /// The numbers of one or more jobs, then one of these words, none of which is a number. Whether
    /// the word is there is for the caller to see.
    void jobs_then_choice(std::vector<std::int64_t>& ids, std::string& value,
                          std::vector<std::string> allowed);

    void flag(const char* names, bool& value);
    void text(const char* names, std::optional<std::string>& value);
    /// A whole number above zero.
    void number(const char* names, std::optional<std::int64_t>& value);
    /// A duration of a second or more ("90s", "1h"); a bare number means minutes.
    void period(const char* names, std::optional<std::chrono::milliseconds>& value);
    /// One of these words.
    void choice(const char* names, std::optional<std::string>& value,
                std::vector<std::string> allowed);
    /// One value each time it is given.
    void list(const char* names, std::vector<std::string>& values);
    /// An option with a number that is accepted for habit. `given` is told that it was there.
    void ignored(const char* names, bool* given = nullptr);
    /// The same for one without.
    void ignored_flag(const char* names);
    /// An option that somebody may expect here: why it is refused.
    void refused(const char* names, std::string why);

  private:
    CLI::App* app_;
};

/// Says what is wrong with a command that was parsed, nothing when it is in order. May finish it.
template <typename T>
using Complete = std::function<std::string(T& command)>;

/// All commands. Each takes --help, --socket (also in front of it) and the choice of a format.
class CommandLine {
  public:
    CommandLine();
    CommandLine(const CommandLine&) = delete;
    CommandLine& operator=(const CommandLine&) = delete;
    ~CommandLine();

    template <typename T>
    struct Added {
        Syntax syntax;
        T& command; ///< where the values belong
    };

    /// Adds a command, named as it is called: "download", "jobs ls". `complete` runs when it was
    /// parsed.
    template <typename T>
    Added<T> add(const std::string& name, T initial, Complete<T> complete = {}) {
        Command& command = add_command(name, std::move(initial), [complete](Command& parsed) {
            return complete ? complete(std::get<T>(parsed)) : std::string{};
        });
        return {syntax_of(name), std::get<T>(command)};
    }

    /// Another name for the last word of a command.
    void also(const std::string& name, const char* other);

    ParsedArguments parse(int argc, const char* const* argv);

  private:
    struct Parser;

    Command& add_command(const std::string& name, Command initial, Complete<Command> complete);
    Syntax syntax_of(std::string_view name);

    std::unique_ptr<Parser> parser_;
};

} // namespace wharf::cli
