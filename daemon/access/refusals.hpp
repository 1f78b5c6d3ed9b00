#pragma once

#include "base/error.hpp"
#include "daemon/access/inquiry.hpp"
#include "daemon/hub/types.hpp"

namespace wharf::access {

/// The Hub could not be asked, which says nothing about who may read what.
bool hub_is_away(const Error& error) noexcept;

/// The Hub was asked, and says no.
bool is_refusal(const Error& error) noexcept;

/// What somebody without a token is told of a repo that is not open: what the Hub would tell him.
Error refusal_without_token(Standing standing, const hub::RepoId& repo);

} // namespace wharf::access
