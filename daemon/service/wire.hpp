#pragma once

#include "daemon/access/policy_refusal.hpp"
#include "daemon/jobs/downloads.hpp"
#include "daemon/net/url.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

/// Between what the interfaces in protocol/ say and what jobs/ works with. Parameters have been
/// validated against the interface before they come here.
namespace wharf::service {

/// Reads the members that Download, List and Open share, but for the token. Throws invalid_request
/// Errors.
jobs::DownloadRequest read_request(const boost::json::object& parameters, uid_t uid);

/// The member of that name and the one with its type: "repo" and "repo_type". Throws
/// invalid_request Errors.
hub::RepoId read_repo(const boost::json::object& parameters, std::string_view name = "repo");

/// An optional text; none when it is not there.
std::optional<std::string> read_text(const boost::json::object& parameters, std::string_view name);

/// An optional list of texts; empty when it is not there.
std::vector<std::string> read_texts(const boost::json::object& parameters, std::string_view name);

/// An optional parameter that is false when it is not there.
bool read_flag(const boost::json::object& parameters, std::string_view name);

/// A job as org.wharf.Jobs.Job, and as org.wharf.Downloads.Progress. `endpoint` is the Hub's, for
/// the address of a commit.
boost::json::object to_json(const jobs::JobInfo& job, const net::Url& endpoint);
boost::json::value warnings_of(const jobs::JobInfo& job);
boost::json::object progress_of(const jobs::JobInfo& job);
boost::json::array to_json(const std::vector<jobs::FileProgress>& files);

/// What somebody is told who has not the right to push.
access::PolicyRefusal may_not_push(std::string repo);

/// The text, or null when it is empty. (Mind that braces around a json::value make an array.)
boost::json::value or_null(const std::string& text);

/// RFC 3339 in UTC, with seconds.
std::string format_time(std::chrono::system_clock::time_point time);

} // namespace wharf::service
