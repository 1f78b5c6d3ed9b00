#pragma once

#include "base/error.hpp"

#include <optional>
#include <string_view>

namespace wharf::protocol {

/// The standard errors of org.varlink.service.
inline constexpr std::string_view interface_not_found = "org.varlink.service.InterfaceNotFound";
inline constexpr std::string_view method_not_found = "org.varlink.service.MethodNotFound";
inline constexpr std::string_view method_not_implemented =
    "org.varlink.service.MethodNotImplemented";
inline constexpr std::string_view invalid_parameter = "org.varlink.service.InvalidParameter";
inline constexpr std::string_view expected_more = "org.varlink.service.ExpectedMore";

/// What the `wharf` command answers to the shell, one number per "what now?".
enum class ExitCode : int {
    done = 0,
    failed = 1,
    usage = 2,
    not_found = 3,
    refused = 4,
    offline = 5,
    no_space = 6,
    integrity = 7,
    no_daemon = 8,
    interrupted = 130,
};

/// The typed error that says `kind` on the socket ("org.wharf.RepoNotFound"). The only switch from
/// kinds to names.
std::string_view error_name(ErrorKind kind) noexcept;

/// The kind that a typed error of org.wharf stands for; nothing for names we do not know. Offline
/// comes back as `network`.
std::optional<ErrorKind> error_kind(std::string_view name) noexcept;

/// The exit code for a failure of this kind that was found by the command itself.
ExitCode exit_code(ErrorKind kind) noexcept;

/// The exit code for a typed error from the socket: of org.wharf, or a standard one.
ExitCode exit_code(std::string_view error_name) noexcept;

} // namespace wharf::protocol
