#include "protocol/error_names.hpp"

#include <array>

namespace wharf::protocol {

namespace {

constexpr std::array every_kind{
    ErrorKind::invalid_request, ErrorKind::repo_not_found, ErrorKind::revision_not_found,
    ErrorKind::file_not_found,  ErrorKind::job_not_found,  ErrorKind::unauthorized,
    ErrorKind::gated,           ErrorKind::forbidden,      ErrorKind::conflict,
    ErrorKind::rate_limited,    ErrorKind::network,        ErrorKind::unavailable,
    ErrorKind::protocol,        ErrorKind::integrity,      ErrorKind::no_space,
    ErrorKind::quota,           ErrorKind::storage,        ErrorKind::cancelled,
    ErrorKind::internal,
};

} // namespace

std::string_view error_name(ErrorKind kind) noexcept {
    switch (kind) {
    case ErrorKind::invalid_request:
        return "org.wharf.InvalidRequest";
    case ErrorKind::repo_not_found:
        return "org.wharf.RepoNotFound";
    case ErrorKind::revision_not_found:
        return "org.wharf.RevisionNotFound";
    case ErrorKind::file_not_found:
        return "org.wharf.FileNotFound";
    case ErrorKind::job_not_found:
        return "org.wharf.JobNotFound";
    case ErrorKind::unauthorized:
        return "org.wharf.Unauthorized";
    case ErrorKind::gated:
        return "org.wharf.Gated";
    case ErrorKind::forbidden:
        return "org.wharf.Forbidden";
    case ErrorKind::conflict:
        return "org.wharf.Conflict";
    case ErrorKind::rate_limited:
        return "org.wharf.RateLimited";
    case ErrorKind::network:
    case ErrorKind::unavailable:
        return "org.wharf.Offline";
    case ErrorKind::protocol:
        return "org.wharf.BadAnswer";
    case ErrorKind::integrity:
        return "org.wharf.Integrity";
    case ErrorKind::no_space:
        return "org.wharf.NoSpace";
    case ErrorKind::quota:
        return "org.wharf.QuotaExceeded";
    case ErrorKind::storage:
        return "org.wharf.Storage";
    case ErrorKind::cancelled:
        return "org.wharf.Cancelled";
    case ErrorKind::internal:
        return "org.wharf.Internal";
    }
    return "org.wharf.Internal";
}

std::optional<ErrorKind> error_kind(std::string_view name) noexcept {
    for (const ErrorKind kind : every_kind) {
        if (error_name(kind) == name) {
            return kind;
        }
    }
    return std::nullopt;
}

ExitCode exit_code(ErrorKind kind) noexcept {
    switch (kind) {
    case ErrorKind::invalid_request:
        return ExitCode::usage;
    case ErrorKind::repo_not_found:
    case ErrorKind::revision_not_found:
    case ErrorKind::file_not_found:
    case ErrorKind::job_not_found:
        return ExitCode::not_found;
    case ErrorKind::unauthorized:
    case ErrorKind::gated:
    case ErrorKind::forbidden:
        return ExitCode::refused;
    case ErrorKind::rate_limited:
    case ErrorKind::network:
    case ErrorKind::unavailable:
        return ExitCode::offline;
    case ErrorKind::no_space:
    case ErrorKind::quota:
        return ExitCode::no_space;
    case ErrorKind::integrity:
        return ExitCode::integrity;
    case ErrorKind::conflict:
    case ErrorKind::protocol:
    case ErrorKind::storage:
    case ErrorKind::cancelled:
    case ErrorKind::internal:
        return ExitCode::failed;
    }
    return ExitCode::failed;
}

ExitCode exit_code(std::string_view error_name) noexcept {
    if (error_name == invalid_parameter) {
        return ExitCode::usage;
    }
    const std::optional<ErrorKind> kind = error_kind(error_name);
    return kind ? exit_code(*kind) : ExitCode::failed;
}

} // namespace wharf::protocol
