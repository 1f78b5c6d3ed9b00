#pragma once

#include "daemon/hub/types.hpp"
#include "daemon/hub/upload_types.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wharf::hub {

// The bodies of what is asked of the Hub for a push. Texts must be UTF-8.

/// `sdk`: only spaces have one, and must have it.
std::string create_repo_request(const RepoId& repo, bool is_private);

std::string preupload_request(std::span<const Candidate> candidates,
                              const std::optional<std::string>& git_ignore);

/// `ref`: empty for pull requests.
std::string batch_request(std::span<const LfsObject> objects, std::string_view ref);

/// `etags` of the parts, in order.
std::string complete_request(std::string_view oid, std::span<const std::string> etags);

std::string verify_request(const LfsObject& object);
std::string validate_request(RepoType type, std::string_view text);

/// Not JSON but a form, as of a web page.
std::string paths_request(std::span<const std::string> paths);

std::string pull_request_request(std::string_view title, std::string_view description);

} // namespace wharf::hub
