#include "daemon/hub/types.hpp"

#include "daemon/hub/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace wharf::hub {

namespace {

/// The official client allows 96 characters for the part behind the slash. We hold both parts to
/// it: the Hub's namespaces are far shorter, and type, namespace and name become one folder name.
constexpr std::size_t longest_part = 96;

constexpr std::size_t longest_revision = 250;

bool is_word(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// The rule that one side of the slash breaks; empty if none. The official pattern for each side is
/// \b[\w\-.]+\b; `\w` is plain ASCII here, as the Hub's own names are.
std::string_view broken_rule(std::string_view part) noexcept {
    if (part.empty()) {
        return "a part of it is empty";
    }
    if (part.size() > longest_part) {
        return "a part of it is longer than 96 characters";
    }
    if (!std::ranges::all_of(part, [](char c) { return is_word(c) || c == '-' || c == '.'; })) {
        return "only letters, digits, '-', '_' and '.' may be in it";
    }
    if (!is_word(part.front()) || !is_word(part.back())) {
        return "no part of it may begin or end with '-' or '.'";
    }
    return {};
}

/// The rule that a whole name breaks; empty if none.
std::string_view broken_name_rule(std::string_view name) noexcept {
    const std::size_t slash = name.find('/');
    if (slash != std::string_view::npos) {
        if (name.find('/', slash + 1) != std::string_view::npos) {
            return "it has more than one '/'";
        }
        if (const auto rule = broken_rule(name.substr(0, slash)); !rule.empty()) {
            return rule;
        }
    }
    if (const auto rule = broken_rule(name.substr(slash + 1)); !rule.empty()) {
        return rule; // npos + 1 is 0: a bare name is checked whole
    }
    if (name.find("--") != std::string_view::npos || name.find("..") != std::string_view::npos) {
        return "'--' and '..' may not be in it";
    }
    return name.ends_with(".git") ? "it may not end in '.git'" : "";
}

/// The rule that a revision breaks; empty if none.
std::string_view broken_revision_rule(std::string_view text) noexcept {
    if (text.empty()) {
        return "it is empty";
    }
    if (text.size() > longest_revision) {
        return "it is longer than 250 bytes";
    }
    const auto is_control = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    };
    if (std::ranges::any_of(text, is_control) || !is_utf8(text)) {
        return "it is not printable text";
    }
    while (true) {
        const std::size_t slash = text.find('/');
        const std::string_view part = text.substr(0, slash);
        if (part.empty() || part == "." || part == "..") {
            return "a part of it is empty, '.' or '..'";
        }
        if (slash == std::string_view::npos) {
            return {};
        }
        text.remove_prefix(slash + 1);
    }
}

} // namespace

std::string_view name(RepoType type) noexcept {
    switch (type) {
    case RepoType::model:
        return "model";
    case RepoType::dataset:
        return "dataset";
    case RepoType::space:
        return "space";
    }
    return "model";
}

std::optional<RepoType> repo_type_from(std::string_view text) noexcept {
    for (const RepoType type : {RepoType::model, RepoType::dataset, RepoType::space}) {
        if (name(type) == text) {
            return type;
        }
    }
    return std::nullopt;
}

Result<RepoId> RepoId::parse(RepoType type, std::string_view name) {
    if (const std::string_view rule = broken_name_rule(name); !rule.empty()) {
        return Error{ErrorKind::invalid_request,
                     fmt::format("{} is not a repo's name: {}", quoted(name), rule),
                     "repos are named like \"org/name\""};
    }
    return RepoId{type, std::string{name}};
}

Result<std::string> parse_revision(std::string_view text) {
    if (const std::string_view rule = broken_revision_rule(text); !rule.empty()) {
        return Error{ErrorKind::invalid_request,
                     fmt::format("{} is not a revision: {}", quoted(text), rule),
                     "name a branch, a tag, \"refs/pr/N\" or a commit's 40 hex digits"};
    }
    return std::string{text};
}

} // namespace wharf::hub
