#pragma once

#include "client/lib/socket_path.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace wharf::cli {

using Environment = client::Environment;

/// The variable's value, none when it is unset or empty: an empty path or token is never meant.
std::optional<std::string> non_empty(const Environment& environment, std::string_view name);

/// Whether the variable says yes as the official client reads it: 1, ON, YES or TRUE in any case.
bool is_true(const Environment& environment, std::string_view name);

/// The home directory: HOME, else what the password database says, else none.
std::optional<std::string> home_directory(const Environment& environment);

/// Replaces a leading "~" by the home directory.
std::string expand_home(std::string_view path, const Environment& environment);

/// Replaces a leading "~" and every "$NAME" and "${NAME}" as the official client does for paths in
/// variables; unknown names stay as they are.
std::string expand_path(std::string_view path, const Environment& environment);

} // namespace wharf::cli
