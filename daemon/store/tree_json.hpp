#pragma once

#include "daemon/hub/types.hpp"

#include <string>
#include <string_view>

namespace wharf::store {

/// The content of trees/<commit>.json, format version 1, as the official client writes it too.
std::string write_tree(const hub::Tree& tree);

/// Reads it back, checked like a listing from the Hub. Errors: protocol; for an unknown version,
/// broken JSON, fields that are missing or contradict each other, unsafe paths.
Result<hub::TreePtr> read_tree(std::string_view json);

} // namespace wharf::store
