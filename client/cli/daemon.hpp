#pragma once

#include "base/unique_fd.hpp"
#include "client/lib/connection.hpp"

#include <boost/json/object.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace wharf::cli {

/// The connection to the daemon, as the commands see it: whatever goes wrong arrives as Failure,
/// and so does an interruption by a signal, which ends the connection. A call that carries a token
/// is made to a listener that may have it only.
class Daemon {
  public:
    /// Connects. Throws Failure (no_daemon).
    explicit Daemon(const std::string& socket);
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;
    ~Daemon();

    /// One call, one answer, which a daemon in order gives at once.
    boost::json::object call(std::string_view method, boost::json::object parameters = {});

    /// As `call`, for an answer that comes in parts.
    void gather(std::string_view method, boost::json::object parameters,
                const std::function<void(const boost::json::object&)>& on_part);

    /// One call with "more" that may take as long as a download: every answer is handed on, the
    /// last one included.
    void stream(std::string_view method, boost::json::object parameters,
                const std::function<void(const boost::json::object&)>& on_reply);

    /// A call with open files, one answer. May take as long as the files' copying.
    boost::json::object call_with_files(std::string_view method, boost::json::object parameters,
                                        std::vector<UniqueFd> files);

    /// org.wharf.Downloads.Open: a read-only descriptor of the file. May take as long as a
    /// download.
    UniqueFd open_file(boost::json::object parameters);

    /// Where it listens.
    const std::string& socket() const noexcept { return socket_; }

  private:
    void call_more(std::string_view method, boost::json::object parameters,
                   const std::function<void(const boost::json::object&)>& on_reply,
                   client::CallOptions options);
    void guard_token(const boost::json::object& parameters) const;

    std::string socket_; ///< its path
    client::Connection connection_;
};

} // namespace wharf::cli
