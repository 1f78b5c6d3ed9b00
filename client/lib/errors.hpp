#pragma once

#include "base/error.hpp"

#include <boost/json/object.hpp>

#include <exception>
#include <string>
#include <string_view>

namespace wharf::client {

/// Nobody answers at the socket, or whoever did went away in the middle of a call. Its kind is
/// `forbidden` when the file system does not let us connect, `network` otherwise; the command's
/// exit code is that of a missing daemon in both cases.
class DaemonUnreachable : public Error {
  public:
    using Error::Error;
};

/// The daemon answered with a typed error. what() is its message.
class RemoteError : public std::exception {
  public:
    RemoteError(std::string name, boost::json::object parameters);

    /// "org.wharf.RepoNotFound"; `protocol::exit_code` knows what it means to a shell.
    const std::string& name() const noexcept { return name_; }
    /// A sentence; for errors that bring none (the standard ones) one is made of the parameters.
    const std::string& message() const noexcept { return message_; }
    /// What to do next; may be empty.
    const std::string& hint() const noexcept { return hint_; }
    const boost::json::object& parameters() const noexcept { return parameters_; }
    const char* what() const noexcept override { return message_.c_str(); }

  private:
    std::string name_;
    boost::json::object parameters_;
    std::string message_;
    std::string hint_;
};

} // namespace wharf::client
