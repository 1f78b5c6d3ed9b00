#pragma once

#include "daemon/async/foreign_fd.hpp"
#include "daemon/jobs/uploads.hpp"
#include "daemon/net/url.hpp"

#include <boost/json/object.hpp>

#include <sys/types.h>
#include <vector>

/// Between org.wharf.Uploads and jobs/uploads. Parameters have been validated against the interface
/// before they come here; what may be a path is for jobs/ to say.
namespace wharf::service {

/// Files that one call of Add may bring: as many descriptors as the kernel takes in one message.
inline constexpr std::size_t most_files_in_call = 200;

/// The parameters of Begin, but for the token. Throws invalid_request Errors.
jobs::UploadRequest read_upload(const boost::json::object& parameters, uid_t uid);

/// The parameters of Add. Takes the files out of `descriptors`; each must be named exactly once.
/// Throws invalid_request Errors.
jobs::OfferedChanges read_changes(const boost::json::object& parameters,
                                  std::vector<async::ForeignFd>& descriptors);

/// What a push that is done has come to, as org.wharf.Uploads.Result.
boost::json::object result_of(const jobs::JobInfo& job, const net::Url& endpoint);

} // namespace wharf::service
