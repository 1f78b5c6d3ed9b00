#include "client/cli/options.hpp"

#include "client/cli/command_syntax.hpp"

namespace wharf::cli {

ParsedArguments parse_arguments(int argc, const char* const* argv) {
    CommandLine line;
    declare_downloads(line);
    declare_uploads(line);
    declare_jobs(line);
    declare_auth(line);
    declare_quota(line);
    line.add("status", StatusCommand{});
    line.add("env", EnvCommand{});
    line.add("version", VersionCommand{});
    return line.parse(argc, argv);
}

} // namespace wharf::cli
