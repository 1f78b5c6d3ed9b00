#include "client/cli/command_auth.hpp"
#include "client/cli/command_download.hpp"
#include "client/cli/command_env.hpp"
#include "client/cli/command_jobs.hpp"
#include "client/cli/command_quota.hpp"
#include "client/cli/command_status.hpp"
#include "client/cli/command_upload.hpp"
#include "client/cli/command_version.hpp"
#include "client/cli/command_watch.hpp"
#include "client/cli/failure.hpp"
#include "client/cli/interrupts.hpp"
#include "client/cli/io.hpp"
#include "client/cli/token.hpp"

namespace {

using namespace wharf;
using namespace wharf::cli;
using protocol::ExitCode;

/// Each command ends with the exit code that it returns, or with that of the failure it throws.
struct Run {
    const Session& session;

    ExitCode operator()(const DownloadCommand& command) const {
        run_download(command, session);
        return ExitCode::done;
    }
    ExitCode operator()(const UploadCommand& command) const {
        run_upload(command, session);
        return ExitCode::done;
    }
    ExitCode operator()(const DeleteFilesCommand& command) const {
        run_delete_files(command, session);
        return ExitCode::done;
    }
    ExitCode operator()(const StatusCommand&) const {
        run_status(session);
        return ExitCode::done;
    }
    ExitCode operator()(const EnvCommand&) const {
        run_env(session);
        return ExitCode::done;
    }
    ExitCode operator()(const VersionCommand&) const {
        run_version(session);
        return ExitCode::done;
    }
    ExitCode operator()(const JobsListCommand& command) const {
        run_jobs_list(command, session);
        return ExitCode::done;
    }
    ExitCode operator()(const JobsShowCommand& command) const {
        run_jobs_show(command, session);
        return ExitCode::done;
    }
    ExitCode operator()(const JobsWatchCommand& command) const {
        run_jobs_watch(command, session);
        return ExitCode::done;
    }
    ExitCode operator()(const JobsActCommand& command) const {
        return run_jobs_act(command, session);
    }
    ExitCode operator()(const LoginCommand& command) const {
        run_login(command, session);
        return ExitCode::done;
    }
    ExitCode operator()(const LogoutCommand&) const {
        run_logout(session);
        return ExitCode::done;
    }
    ExitCode operator()(const WhoAmICommand& command) const {
        run_whoami(command, session);
        return ExitCode::done;
    }
    ExitCode operator()(const TokensListCommand& command) const {
        run_tokens_list(command, session);
        return ExitCode::done;
    }
    ExitCode operator()(const QuotaShowCommand& command) const {
        run_quota_show(command, session);
        return ExitCode::done;
    }
    ExitCode operator()(const QuotaListCommand&) const {
        run_quota_list(session);
        return ExitCode::done;
    }
    ExitCode operator()(const QuotaReleaseCommand& command) const {
        run_quota_release(command, session);
        return ExitCode::done;
    }
};

int report(const Failure& failure, bool as_json = false) {
    tell(failure, as_json);
    return static_cast<int>(failure.code());
}

int run(const Options& options) {
    const bool as_json = options.format == OutputFormat::json;
    try {
        const Session session = make_session(options);
        return static_cast<int>(std::visit(Run{session}, options.command));
    } catch (const Failure& failure) {
        return report(failure, as_json);
    } catch (const Error& error) {
        return report(Failure{error}, as_json);
    } catch (const std::exception& error) {
        return report(Failure{Error{ErrorKind::internal, error.what()}}, as_json);
    }
}

/// The help goes to standard output, what is wrong to standard error.
int tell(const ParsedArguments& parsed) {
    if (parsed.is_error) {
        return report(Failure{Error{ErrorKind::invalid_request, parsed.text, parsed.hint}},
                      parsed.wants_json);
    }
    try {
        print_result(parsed.text);
        return 0;
    } catch (const Error& error) {
        return report(Failure{error});
    }
}

} // namespace

int main(int argc, char** argv) {
    reserve_standard_descriptors();
    Interrupts::install();
    const ParsedArguments parsed = parse_arguments(argc, argv);
    scrub_token_argument(argc, argv);
    return parsed.options ? run(*parsed.options) : tell(parsed);
}
