#pragma once

#include "base/error.hpp"
#include "client/lib/errors.hpp"
#include "protocol/error_names.hpp"

#include <exception>
#include <string>
#include <string_view>

namespace wharf::cli {

/// Why the command did not do what it was asked, ready to be told: what a person reads, the name a
/// program looks at, and the exit code. Never holds a token.
class Failure : public std::exception {
  public:
    Failure(protocol::ExitCode code, std::string name, std::string message, std::string hint = {});
    /// A failure found on this side of the socket.
    explicit Failure(const Error& error);
    /// Nobody answers at the socket, or no longer.
    explicit Failure(const client::DaemonUnreachable& error);

    protocol::ExitCode code() const noexcept { return code_; }
    const std::string& name() const noexcept { return name_; }
    const std::string& message() const noexcept { return message_; }
    const std::string& hint() const noexcept { return hint_; }
    const char* what() const noexcept override { return message_.c_str(); }

  private:
    protocol::ExitCode code_;
    std::string name_;
    std::string message_;
    std::string hint_;
};

/// The daemon answered a call of `method` with a typed error.
Failure remote_failure(std::string_view method, const client::RemoteError& error);

/// Says it on standard error, as text or as JSON, in one write.
void tell(const Failure& failure, bool as_json);

/// As text: "wharf: what failed", then "hint: what to do"; control characters made visible.
std::string describe(const Failure& failure);

/// As one JSON object on a line: {"error": {"name", "message", "hint"}, "exit_code"}.
std::string describe_json(const Failure& failure);

} // namespace wharf::cli
