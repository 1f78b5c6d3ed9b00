#include "base/log.hpp"
#include "base/secret.hpp"
#include "daemon/app.hpp"
#include "daemon/process.hpp"
#include "protocol/definitions.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>

namespace {

constexpr int exit_failed = 1;
constexpr int exit_usage = 2;

struct Options {
    std::optional<std::filesystem::path> config;
    bool user = false;
    bool check = false;
};

wharf::Config load(const Options& options) {
    if (options.user) {
        return wharf::Config::load_user(options.config);
    }
    return wharf::Config::load(options.config.value_or("/etc/wharf/wharfd.toml"));
}

void complain(const wharf::Error& error) {
    fmt::print(stderr, "wharfd: {}\n", error.message());
    if (!error.hint().empty()) {
        fmt::print(stderr, "        {}\n", error.hint());
    }
}

/// Secrets are wiped in any case; this is about what the system may do with them meanwhile.
void tell_of_secret_memory() {
    const auto memory = wharf::secret_memory();
    if (!memory.is_locked || !memory.is_hidden) {
        wharf::log::info("daemon",
                         "tokens may be written to swap or dumps: memory is {}locked, {}"
                         "left out of dumps (see LimitMEMLOCK= or `ulimit -l`)",
                         memory.is_locked ? "" : "not ", memory.is_hidden ? "" : "not ");
    }
}

int serve(const Options& options) {
    wharf::Config config;
    try {
        config = load(options);
    } catch (const wharf::Error& error) {
        complain(error);
        return exit_usage;
    }
    if (options.check) {
        fmt::print("the configuration is right\n");
        return 0;
    }
    wharf::log::start(config.daemon.log_level);
    wharf::hide_memory();
    wharf::raise_descriptor_limit();
    tell_of_secret_memory();
    try {
        wharf::App app{std::move(config), [options] { return load(options); }};
        return app.run();
    } catch (const wharf::Error& error) {
        wharf::log::error("app", "{}{}{}", error.message(), error.hint().empty() ? "" : "; ",
                          error.hint());
    } catch (const std::exception& error) {
        wharf::log::error("app", "cannot start: {}", error.what());
    }
    return exit_failed;
}

} // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App cli{"wharfd: one cache and one queue of transfers for the Hugging Face Hub per box"};
    cli.add_option("--config", options.config,
                   "configuration file (default /etc/wharf/wharfd.toml; with --user: "
                   "~/.config/wharf/wharfd.toml, if there is one)");
    cli.add_flag("--user", options.user,
                 "run for one person: XDG folders and this person's Hugging Face cache");
    cli.add_flag("--check-config", options.check, "read the configuration, say what is wrong, end");
    cli.set_version_flag("--version",
                         std::string{"wharfd "} + std::string{wharf::protocol::version()});
    cli.footer("Stops on SIGTERM, reloads the configuration on SIGHUP.\n"
               "Exit codes: 0 ended in order, 1 could not start or failed, 2 wrong usage or "
               "configuration.");
    try {
        cli.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return cli.exit(error) == 0 ? 0 : exit_usage;
    }
    return serve(options);
}
