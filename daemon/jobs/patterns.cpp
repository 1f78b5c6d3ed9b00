#include "daemon/jobs/patterns.hpp"

#include "base/wildcard.hpp"

#include <fmt/format.h>

#include <numeric>
#include <unordered_set>

namespace wharf::jobs {

namespace {

std::size_t bytes_of(const std::vector<std::string>& texts) noexcept {
    return std::accumulate(
        texts.begin(), texts.end(), std::size_t{0},
        [](std::size_t sum, const std::string& text) { return sum + text.size(); });
}

} // namespace

Result<Filter> check_filter(Filter filter) {
    constexpr std::size_t most_name_bytes = 1 << 20;
    constexpr std::size_t most_patterns = 256;
    constexpr std::size_t most_pattern_bytes = 4 << 10;
    if (bytes_of(filter.files) > most_name_bytes) {
        return Error{
            ErrorKind::invalid_request,
            fmt::format("the names of the {} files are too long together", filter.files.size()),
            "ask for fewer files at a time, or by patterns"};
    }
    const auto patterns = filter.include.size() + filter.exclude.size();
    if (patterns > most_patterns ||
        bytes_of(filter.include) + bytes_of(filter.exclude) > most_pattern_bytes) {
        return Error{ErrorKind::invalid_request,
                     fmt::format("{} patterns: at most {} with {} bytes in all can be taken",
                                 patterns, most_patterns, most_pattern_bytes),
                     "use fewer or shorter patterns, or name the files"};
    }
    return filter;
}

Result<std::vector<hub::TreeEntry>> select(const hub::Tree& tree, const Filter& filter) {
    std::vector<hub::TreeEntry> wanted;
    if (!filter.files.empty()) {
        std::unordered_set<std::string_view> seen;
        for (const auto& path : filter.files) {
            const auto* entry = tree.find(path);
            if (entry == nullptr) {
                return Error{ErrorKind::file_not_found,
                             fmt::format("there is no file '{}' in this revision", path),
                             "check the spelling; 'wharf download --dry-run' lists the files"};
            }
            if (seen.insert(entry->path).second) {
                wanted.push_back(*entry);
            }
        }
        return wanted;
    }
    for (const auto& entry : tree.files) {
        if ((filter.include.empty() || matches_any(filter.include, entry.path)) &&
            !matches_any(filter.exclude, entry.path)) {
            wanted.push_back(entry);
        }
    }
    return wanted;
}

} // namespace wharf::jobs
