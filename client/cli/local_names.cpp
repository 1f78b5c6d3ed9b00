#include "client/cli/local_names.hpp"

#include "client/cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace wharf::cli {

namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; };
    return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view next_part(std::string_view& rest, std::string_view separators) {
    const auto end = std::min(rest.find_first_of(separators), rest.size());
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return part;
}

/// The reason to refuse one part between slashes, null when there is none.
const char* fault_of_part(std::string_view part) {
    if (part.empty() || part == ".") {
        return "has an empty part";
    }
    if (part.size() >= 2 && part[1] == ':') {
        return "has a drive letter";
    }
    if (part.front() == '\\') {
        return "begins at a root";
    }
    if (equal_ignoring_case(part, ".git")) {
        return "lies in .git";
    }
    while (!part.empty()) {
        if (next_part(part, "\\") == "..") {
            return "leads out of the folder";
        }
    }
    return nullptr;
}

/// ".cache" itself would stand where the bookkeeping's folder must be.
bool is_bookkeeping(std::string_view name) {
    const std::string_view first = next_part(name, "/");
    if (!equal_ignoring_case(first, ".cache")) {
        return false;
    }
    return name.empty() || equal_ignoring_case(next_part(name, "/"), "huggingface");
}

const char* fault_of(std::string_view name) {
    if (name.empty() || name.ends_with('/')) {
        return "is not a file's name";
    }
    if (name.starts_with('/')) {
        return "is absolute";
    }
    if (name.find('\0') != std::string_view::npos) {
        return "holds a NUL";
    }
    if (is_bookkeeping(name)) {
        return "lies in the bookkeeping of the local folder";
    }
    std::string_view rest = name;
    while (!rest.empty()) {
        if (const char* fault = fault_of_part(next_part(rest, "/"))) {
            return fault;
        }
    }
    return nullptr;
}

} // namespace

Result<void> check_local_name(std::string_view name) {
    if (const char* fault = fault_of(name)) {
        return Error{ErrorKind::protocol,
                     fmt::format("the file '{}' cannot be placed: its name {}",
                                 printable(name.substr(0, 200)), fault),
                     "ask the owner of the repo to rename it"};
    }
    return boost::system::in_place_value;
}

} // namespace wharf::cli
