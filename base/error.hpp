#pragma once

#include <boost/system/result.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

namespace wharf {

/// What went wrong, named by what one can do about it. The kinds are the border to everything
/// visible: the socket's typed errors and the command line's exit codes are made from them.
enum class ErrorKind {
    invalid_request,    ///< the asker must change the request
    repo_not_found,     ///< no such repo, or not visible to this asker (deliberately the same)
    revision_not_found, ///< the repo has no such branch, tag, ref or commit
    file_not_found,     ///< the commit has no such file
    job_not_found,      ///< no such job, or not visible to this asker
    unauthorized,       ///< the token is wrong, expired or revoked
    gated,              ///< the repo exists; its owner has not granted access
    forbidden,          ///< refused by the Hub or by local policy
    conflict,           ///< the branch is not where the asker said it is
    rate_limited,       ///< wait for `retry_after`
    network,            ///< could not connect, or the connection broke or stalled
    unavailable,        ///< the peer answers, but cannot serve now (5xx)
    protocol,           ///< the peer answered something that makes no sense
    integrity,          ///< bytes do not have the hash that names them
    no_space,           ///< disk full
    quota,              ///< more than this account may have here; no waiting gives room
    storage,            ///< another failure of the local disk
    cancelled,          ///< somebody asked to stop
    internal,           ///< a defect of ours
};

/// The kind's name in lower case, as in logs ("repo_not_found").
std::string_view name(ErrorKind kind) noexcept;

/// The kind of that name; none if there is no such kind.
std::optional<ErrorKind> error_kind_from(std::string_view name) noexcept;

/// An error on its way to somebody who can act on it. `message` is one sentence without trailing
/// stop saying what failed and to what; `hint` says what to do next and may be empty. Neither ever
/// holds a token or a URL's query.
class Error : public std::exception {
  public:
    Error() : Error{ErrorKind::internal, "unknown error"} {} ///< boost::system::result asks for it
    Error(ErrorKind kind, std::string message, std::string hint = {});

    ErrorKind kind() const noexcept { return kind_; }
    const std::string& message() const noexcept { return message_; }
    const std::string& hint() const noexcept { return hint_; }
    const char* what() const noexcept override { return message_.c_str(); }

    /// How long the peer asked us to wait, if it did.
    std::optional<std::chrono::seconds> retry_after() const noexcept { return retry_after_; }
    Error& set_retry_after(std::chrono::seconds delay) noexcept;

    /// Whether the cause is more than an accident of the moment (a refused certificate, an unknown
    /// name): trying again at once will hardly help.
    bool is_lasting() const noexcept { return lasting_; }
    Error& set_lasting() noexcept;

    /// Puts what we were doing in front: "downloading a/b: connection reset".
    Error with_context(std::string_view context) const;

  private:
    ErrorKind kind_;
    std::string message_;
    std::string hint_;
    std::optional<std::chrono::seconds> retry_after_;
    bool lasting_ = false;
};

/// For code without I/O of its own: parsers, planners, path checks. `value()` throws the Error.
template <typename T>
using Result = boost::system::result<T, Error>;

/// Lets `Result::value()` throw our Error itself (found by argument-dependent lookup).
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location&);

/// An Error of kind no_space for ENOSPC and EDQUOT, storage otherwise: "writing x: No space left on
/// device".
Error system_error(std::string_view doing, int error_number);

} // namespace wharf
