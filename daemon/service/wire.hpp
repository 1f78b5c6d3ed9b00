#pragma once

#include "daemon/jobs/downloads.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <optional>
#include <string>
#include <sys/types.h>

/// Between what the interfaces in protocol/ say and what jobs/ works with. Parameters have been
/// validated against the interface before they come here.
namespace wharf::service {

/// Reads the members that Download, List and Open share. Throws invalid_request Errors.
jobs::DownloadRequest read_request(const boost::json::object& parameters, uid_t uid);

boost::json::object to_json(const jobs::Progress& progress, jobs::JobState state);
boost::json::object to_json(jobs::Job& job);
boost::json::array to_json(const std::vector<jobs::FileProgress>& files);

/// The text, or null when it is empty. (Mind that braces around a json::value make an array.)
boost::json::value or_null(const std::string& text);

/// RFC 3339 in UTC, with seconds.
std::string format_time(std::chrono::system_clock::time_point time);

} // namespace wharf::service
