#pragma once

#include "base/error.hpp"
#include "daemon/access/inquiry.hpp"
#include "daemon/hub/types.hpp"

namespace wharf::access {

/// What somebody without a token is told of a repo that is not open: what the Hub would tell him.
Error refusal_without_token(Standing standing, const hub::RepoId& repo);

} // namespace wharf::access
