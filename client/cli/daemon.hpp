#pragma once

#include "base/unique_fd.hpp"
#include "client/cli/environment.hpp"

#include <boost/json/object.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace wharf::cli {

/// Which socket to talk to: --socket, WHARF_SOCKET, that of a daemon of one's own if it is there,
/// the system's.
std::string choose_socket(const std::optional<std::string>& option, const Environment& environment);

/// The connection to the daemon, as the commands see it: typed errors arrive as Failure, and so
/// does an interruption by a signal, which ends the connection.
class Daemon {
  public:
    /// Connects. Throws Failure (no_daemon).
    explicit Daemon(const std::string& socket);
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;
    ~Daemon();

    /// One call, one answer.
    boost::json::object call(std::string_view method, boost::json::object parameters);

    /// One call with "more": every answer is handed on, the last one included.
    void stream(std::string_view method, boost::json::object parameters,
                const std::function<void(const boost::json::object&)>& on_reply);

    /// org.wharf.Downloads.Open: a read-only descriptor of the file.
    UniqueFd open_file(boost::json::object parameters);

  private:
    struct Link;
    std::unique_ptr<Link> link_;
};

} // namespace wharf::cli
