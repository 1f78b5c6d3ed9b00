#include "base/error.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace wharf {

std::string_view name(ErrorKind kind) noexcept {
    switch (kind) {
    case ErrorKind::invalid_request:
        return "invalid_request";
    case ErrorKind::repo_not_found:
        return "repo_not_found";
    case ErrorKind::revision_not_found:
        return "revision_not_found";
    case ErrorKind::file_not_found:
        return "file_not_found";
    case ErrorKind::job_not_found:
        return "job_not_found";
    case ErrorKind::unauthorized:
        return "unauthorized";
    case ErrorKind::gated:
        return "gated";
    case ErrorKind::forbidden:
        return "forbidden";
    case ErrorKind::conflict:
        return "conflict";
    case ErrorKind::rate_limited:
        return "rate_limited";
    case ErrorKind::network:
        return "network";
    case ErrorKind::unavailable:
        return "unavailable";
    case ErrorKind::protocol:
        return "protocol";
    case ErrorKind::integrity:
        return "integrity";
    case ErrorKind::no_space:
        return "no_space";
    case ErrorKind::quota:
        return "quota";
    case ErrorKind::storage:
        return "storage";
    case ErrorKind::cancelled:
        return "cancelled";
    case ErrorKind::internal:
        return "internal";
    }
    return "internal";
}

std::optional<ErrorKind> error_kind_from(std::string_view name) noexcept {
    for (int value = 0; value <= static_cast<int>(ErrorKind::internal); ++value) {
        const auto kind = static_cast<ErrorKind>(value);
        if (wharf::name(kind) == name) {
            return kind;
        }
    }
    return std::nullopt;
}

Error::Error(ErrorKind kind, std::string message, std::string hint)
    : kind_{kind}, message_{std::move(message)}, hint_{std::move(hint)} {}

Error& Error::set_retry_after(std::chrono::seconds delay) noexcept {
    retry_after_ = delay;
    return *this;
}

Error& Error::set_lasting() noexcept {
    lasting_ = true;
    return *this;
}

Error Error::with_context(std::string_view context) const {
    Error copy = *this;
    copy.message_ = fmt::format("{}: {}", context, message_);
    return copy;
}

void throw_exception_from_error(const Error& error, const boost::source_location&) {
    throw error;
}

Error system_error(std::string_view doing, int error_number) {
    const bool full = error_number == ENOSPC || error_number == EDQUOT;
    return Error{full ? ErrorKind::no_space : ErrorKind::storage,
                 fmt::format("{}: {}", doing, std::generic_category().message(error_number)),
                 full ? "free some space or raise the quota, then try again" : ""};
}

} // namespace wharf
