#include "client/cli/command_env.hpp"

#include "client/cli/daemon.hpp"
#include "client/cli/io.hpp"
#include "client/cli/json_fields.hpp"
#include "client/cli/text.hpp"

#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <unistd.h>

namespace wharf::cli {

namespace {

constexpr std::string_view explanation =
    "# Programs that use the official client find in the shared cache what wharf brought there,\n"
    "# once these are set. For this shell: eval \"$(wharf env)\"\n";

} // namespace

void run_env(const Session& session) {
    Daemon daemon{session.socket};
    const std::string cache = text_member(daemon.call("org.wharf.Status"), "cache_dir");
    if (session.is(OutputFormat::json)) {
        boost::json::object variables;
        variables["HF_HUB_CACHE"] = cache;
        print_json(variables);
        return;
    }
    if (session.screen.interactive && session.is(OutputFormat::human) &&
        ::isatty(STDOUT_FILENO) == 1) {
        write_quietly(STDERR_FILENO, explanation);
    }
    print_result(fmt::format("export HF_HUB_CACHE={}\n", shell_quote(cache)));
}

} // namespace wharf::cli
