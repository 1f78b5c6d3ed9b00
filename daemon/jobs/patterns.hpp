#pragma once

#include "daemon/hub/types.hpp"

#include <string>
#include <vector>

namespace wharf::jobs {

/// Which files of a commit are wanted.
struct Filter {
    std::vector<std::string> files; ///< exact paths; when given, the patterns are not looked at
    std::vector<std::string>
        include; ///< a pattern ending in "/" means all below; empty: everything
    std::vector<std::string> exclude; ///< taken away from what `include` left

    bool operator==(const Filter&) const = default;
};

/// The filter, if it is one that a person or a program in order would ask for. Every path of a repo
/// is compared with every pattern, and unfinished jobs keep their filters, so both are bounded:
/// names of a MiB in all, 256 patterns of 4 KiB in all. Errors: invalid_request.
Result<Filter> check_filter(Filter filter);

/// The wanted files: named ones in the order of their naming (each once), others in the tree's.
/// Errors: file_not_found for a named file that the commit does not have.
Result<std::vector<hub::TreeEntry>> select(const hub::Tree& tree, const Filter& filter);

} // namespace wharf::jobs
