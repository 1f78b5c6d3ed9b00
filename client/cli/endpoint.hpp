#pragma once

#include "client/cli/environment.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace wharf::cli {

/// Whether two addresses of a Hub mean the same one: upper and lower case of scheme and host, the
/// scheme's own port and slashes at the end make no difference.
bool is_same_endpoint(std::string_view one, std::string_view other);

/// The endpoint the user means, where the environment says it.
std::optional<std::string> wanted_endpoint(const Environment& environment);

/// Keeps a token from a Hub that its owner does not mean. A warning when the user wants another
/// endpoint than the daemon's and no token is about to be sent there; throws Failure (usage) when
/// one is; nothing when they are the same.
std::optional<std::string> check_endpoint(std::string_view wanted, std::string_view daemons,
                                          bool has_token);

} // namespace wharf::cli
