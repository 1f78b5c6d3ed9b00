#pragma once

#include "daemon/jobs/downloads.hpp"
#include "daemon/service/dispatcher.hpp"
#include "daemon/transfer/flights.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace wharf::service {

/// What Status tells, and where it comes from.
struct StatusSources {
    std::string version;
    std::string endpoint;
    std::string cache_dir;
    jobs::JobTable& jobs;
    transfer::Flights& flights;
    scheduling::Connections& connections;
    std::function<std::size_t()> clients;
    std::function<std::uint64_t()> bytes_received;
    std::function<std::uint64_t()> bytes_sent;
};

/// Answers the methods of org.wharf, and measures speeds for them. Control thread.
class DaemonCalls {
  public:
    explicit DaemonCalls(StatusSources sources) : sources_{std::move(sources)} {}

    /// Adds the methods. Requires: this outlives the dispatcher.
    void add_to(Dispatcher& dispatcher);

    /// Takes a sample of all counters; to be called about once a second.
    void measure();

    /// One line for `systemctl status`: "2 jobs, 3 transfers, 210.3 MB/s down, 0 B/s up".
    std::string summary() const;

  private:
    Awaitable<> status(Call& call);

    struct Speed {
        jobs::Speedometer meter;
        std::uint64_t now = 0;
    };
    StatusSources sources_;
    std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
    Speed received_;
    Speed sent_;
    std::map<std::string, Speed> transfers_; ///< by etag
};

} // namespace wharf::service
