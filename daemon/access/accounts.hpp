#pragma once

#include "base/error.hpp"

#include <optional>
#include <string>
#include <sys/types.h>

/// Numbers of the accounts that a configuration names. Both ask the machine, which may ask its
/// directory server: they block. A text that is a number already stands for itself.
namespace wharf::access {

/// None: the machine knows no such user. Errors: unavailable, when it could not be asked.
Result<std::optional<uid_t>> find_user(const std::string& name);

/// The same for a group.
Result<std::optional<gid_t>> find_group(const std::string& name);

} // namespace wharf::access
