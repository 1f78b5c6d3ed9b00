#include "client/cli/repo_path.hpp"

#include "client/cli/text.hpp"
#include "protocol/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace wharf::cli {

namespace {

constexpr std::size_t longest_component = 255;
constexpr std::size_t longest_path = 1024;

bool is_git(std::string_view component) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; };
    return std::ranges::equal(component, std::string_view{".git"}, {}, lower);
}

/// Why no part between separators may look so, null when it may.
const char* fault_of_component(std::string_view component) {
    if (component.empty()) {
        return "has an empty component";
    }
    if (component == "." || component == "..") {
        return "has the component '.' or '..'";
    }
    if (component.size() > longest_component) {
        return "has a component of more than 255 bytes";
    }
    return is_git(component) ? "has the component '.git'" : nullptr;
}

/// As above for all that `separators` make of the path.
const char* fault_of_components(std::string_view path, std::string_view separators) {
    while (true) {
        const std::size_t end = std::min(path.find_first_of(separators), path.size());
        if (const char* fault = fault_of_component(path.substr(0, end))) {
            return fault;
        }
        if (end == path.size()) {
            return nullptr;
        }
        path.remove_prefix(end + 1);
    }
}

bool is_bookkeeping(std::string_view path) {
    static constexpr std::string_view folder = ".cache/huggingface";
    for (auto at = path.find(folder); at != std::string_view::npos;
         at = path.find(folder, at + 1)) {
        const std::size_t end = at + folder.size();
        if ((at == 0 || path[at - 1] == '/') && (end == path.size() || path[end] == '/')) {
            return true;
        }
    }
    return false;
}

const char* fault_of(std::string_view path) {
    if (path.size() > longest_path) {
        return "is longer than 1024 bytes";
    }
    if (!protocol::is_utf8(path)) {
        return "is not UTF-8";
    }
    const auto is_control = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    };
    if (std::ranges::any_of(path, is_control)) {
        return "has a control character";
    }
    if (is_bookkeeping(path)) {
        return "lies in .cache/huggingface";
    }
    const char* fault = fault_of_components(path, "/");
    return fault ? fault : fault_of_components(path, "/\\"); // some systems take both
}

} // namespace

Result<void> check_repo_path(std::string_view path) {
    if (const char* fault = fault_of(path)) {
        return Error{ErrorKind::invalid_request,
                     fmt::format("'{}' cannot be a file's path in a repo: it {}",
                                 printable(path.substr(0, 300)), fault),
                     "rename the file, or leave it out with --exclude"};
    }
    return boost::system::in_place_value;
}

} // namespace wharf::cli
