#include "base/digest.hpp"
#include "daemon/hub/text.hpp"
#include "daemon/hub/types.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

// A listing names files that we create on somebody's disk, so it is checked as a whole before any
// of it is used: one bad entry spoils it. The rules are the official client's (no absolute path, no
// "..", also with backslashes) and those that the file system and the links of the cache need.

namespace wharf::hub {

namespace {

constexpr std::size_t longest_component = 255; // NAME_MAX
constexpr std::size_t longest_path = 1024;

/// The Hub's largest files are terabytes. What is above this is an error, not a file.
constexpr std::uint64_t largest_file = 1ULL << 50;

Error bad_entry(std::string_view path, std::string_view rule) {
    return Error{ErrorKind::protocol,
                 fmt::format("the Hub's listing has the entry {}: {}", quoted(path), rule),
                 "nothing of this listing was used; tell the repo's owner"};
}

/// The rule that a component breaks, whether '/' or '\' ended it; empty if none.
std::string_view broken_component_rule(std::string_view component) noexcept {
    if (component.empty()) {
        return "a component of the path is empty";
    }
    if (component == "." || component == "..") {
        return "the path has the component '.' or '..'";
    }
    return equals_ignoring_case(component, ".git") ? "the path has the component '.git'" : "";
}

/// The rule that a path's components break; empty if none.
std::string_view broken_components_rule(std::string_view path) noexcept {
    std::size_t name_length = 0; // of the file name or folder name, to which '\' belongs
    while (true) {
        const std::size_t end = std::min(path.find_first_of("/\\"), path.size());
        if (const auto rule = broken_component_rule(path.substr(0, end)); !rule.empty()) {
            return rule;
        }
        name_length += end;
        if (name_length > longest_component) {
            return "a component of the path is longer than 255 bytes";
        }
        if (end == path.size()) {
            return {};
        }
        name_length = path[end] == '/' ? 0 : name_length + 1;
        path.remove_prefix(end + 1);
    }
}

std::string_view broken_path_rule(std::string_view path) noexcept {
    if (path.empty()) {
        return "the path is empty";
    }
    if (path.size() > longest_path) {
        return "the path is longer than 1024 bytes";
    }
    if (path.front() == '/') {
        return "the path is absolute";
    }
    if (!is_utf8(path)) {
        return "the path is not UTF-8";
    }
    const auto is_control = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    };
    if (std::ranges::any_of(path, is_control)) {
        return "the path has a control character";
    }
    return broken_components_rule(path);
}

Result<void> check_entry(const TreeEntry& entry) {
    if (auto checked = check_path(entry.path); !checked) {
        return checked;
    }
    if (!is_commit_id(entry.blob_id)) { // the same form: git's sha1
        return bad_entry(entry.path, "its blob id is not 40 hex digits");
    }
    if (!entry.lfs_sha256.empty() &&
        (entry.lfs_sha256.size() != 64 || !is_blob_name(entry.lfs_sha256))) {
        return bad_entry(entry.path, "its sha256 is not 64 hex digits");
    }
    if (entry.size > largest_file) {
        return bad_entry(entry.path, "its size is not believable");
    }
    return {};
}

/// Checks each entry for itself, and that their sizes can be added up in a signed 64-bit number.
Result<void> check_entries(const std::vector<TreeEntry>& files) {
    constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
    std::uint64_t total = 0;
    for (const TreeEntry& entry : files) {
        if (auto checked = check_entry(entry); !checked) {
            return checked;
        }
        if (entry.size > most - total) {
            return bad_entry(entry.path, "the sizes add up to more than 8 EiB");
        }
        total += entry.size;
    }
    return {};
}

/// No path twice, and none that is a folder of another. Requires: sorted. A folder's files follow
/// each other, so each folder needs to be looked up only where it begins.
Result<void> check_clashes(const Tree& tree) {
    std::string_view previous;
    for (const TreeEntry& entry : tree.files) {
        const std::string_view path = entry.path;
        if (path == previous) {
            return bad_entry(path, "it is listed twice");
        }
        const auto common =
            static_cast<std::size_t>(std::ranges::mismatch(path, previous).in1 - path.begin());
        for (std::size_t slash = path.find('/', common); slash != std::string_view::npos;
             slash = path.find('/', slash + 1)) {
            if (tree.find(path.substr(0, slash)) != nullptr) {
                return bad_entry(path.substr(0, slash), "it is both a file and a folder");
            }
        }
        previous = path;
    }
    return {};
}

} // namespace

const TreeEntry* Tree::find(std::string_view path) const noexcept {
    const auto found = std::ranges::lower_bound(
        files, path, {}, [](const TreeEntry& entry) { return std::string_view{entry.path}; });
    return found != files.end() && found->path == path ? &*found : nullptr;
}

Result<void> check_path(std::string_view path) {
    if (const std::string_view rule = broken_path_rule(path); !rule.empty()) {
        return bad_entry(path, rule);
    }
    return {};
}

Result<TreePtr> make_tree(std::vector<TreeEntry> files) {
    if (auto checked = check_entries(files); !checked) {
        return checked.error();
    }
    auto tree = std::make_shared<Tree>(std::move(files));
    std::ranges::sort(tree->files, {}, &TreeEntry::path);
    if (auto checked = check_clashes(*tree); !checked) {
        return checked.error();
    }
    return TreePtr{std::move(tree)};
}

} // namespace wharf::hub
