#include "client/cli/repo_reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace wharf::cli {

namespace {

constexpr std::string_view scheme = "hf://";

constexpr std::array<std::pair<std::string_view, std::string_view>, 3> type_prefixes{
    {{"models", "model"}, {"datasets", "dataset"}, {"spaces", "space"}}};

Error bad_uri(std::string_view uri, std::string_view why) {
    return Error{ErrorKind::invalid_request, fmt::format("'{}': {}", uri, why),
                 "write hf://[models/|datasets/|spaces/]ORG/NAME[@REVISION][/PATH]"};
}

/// Takes "datasets/" off the front. Singular forms and kinds we do not serve are refused by name,
/// they would else be taken for an organisation.
Result<std::optional<std::string>> take_type(std::string_view& text) {
    const std::string_view first = text.substr(0, text.find('/'));
    for (const auto& [plural, singular] : type_prefixes) {
        if (first == plural && first.size() < text.size()) {
            text.remove_prefix(first.size() + 1);
            return std::optional{std::string{singular}};
        }
        if (first == singular) {
            return Error{
                ErrorKind::invalid_request,
                fmt::format("the type in front of a repo is written in the plural: '{}/'", plural)};
        }
    }
    if (first == "buckets" || first == "kernels") {
        return Error{ErrorKind::invalid_request, fmt::format("{} cannot be downloaded", first),
                     "wharf serves models, datasets and spaces"};
    }
    return std::optional<std::string>{};
}

std::string_view strip_slashes(std::string_view text) {
    while (text.starts_with('/')) {
        text.remove_prefix(1);
    }
    while (text.ends_with('/')) {
        text.remove_suffix(1);
    }
    return text;
}

std::size_t count_slashes(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count(text, '/'));
}

/// The length of a ref that has slashes of its own at the beginning of `text`, 0 if there is none:
/// "refs/pr/<digits>" or "refs/convert/<name>".
std::size_t special_ref_size(std::string_view text) {
    static constexpr std::string_view pr = "refs/pr/";
    static constexpr std::string_view convert = "refs/convert/";
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    const auto is_ref_character = [&](char c) {
        return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
               c == '.' || c == '-';
    };
    const auto run = [&](std::string_view prefix, auto accept) -> std::size_t {
        if (!text.starts_with(prefix)) {
            return 0;
        }
        const auto rest = text.substr(prefix.size());
        const auto end = std::ranges::find_if_not(rest, accept);
        const auto size = static_cast<std::size_t>(end - rest.begin());
        return size == 0 ? 0 : prefix.size() + size;
    };
    return std::max(run(pr, is_digit), run(convert, is_ref_character));
}

/// Only the slash is ever written encoded in a revision.
std::string decode_revision(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        if (text.starts_with("%2F") || text.starts_with("%2f")) {
            out += '/';
            text.remove_prefix(3);
        } else {
            out += text.front();
            text.remove_prefix(1);
        }
    }
    return out;
}

/// Splits "<revision>[/<path>]"; what follows a special ref must be a path or nothing.
std::pair<std::string_view, std::string_view> split_revision(std::string_view text) {
    std::size_t size = special_ref_size(text);
    if (size == 0 || (size < text.size() && text[size] != '/')) {
        size = std::min(text.find('/'), text.size());
    }
    return {text.substr(0, size), text.substr(std::min(size + 1, text.size()))};
}

/// "<ns>/<name>[@<revision>][/<path>]" in parts; they are not judged yet.
struct Location {
    std::string_view repo;
    std::optional<std::string_view> revision;
    std::string_view path;
};

Location split_location(std::string_view text) {
    const auto at = text.find('@');
    if (at != std::string_view::npos && count_slashes(text.substr(0, at)) <= 1) {
        const auto [revision, path] = split_revision(text.substr(at + 1));
        return {text.substr(0, at), revision, path};
    }
    // An "@" further on belongs to a file's name.
    const auto first = std::min(text.find('/'), text.size());
    const auto second = std::min(text.find('/', first + 1), text.size());
    return {text.substr(0, second), std::nullopt, text.substr(std::min(second + 1, text.size()))};
}

/// The reason to refuse the parts, null when there is none.
const char* fault_of(const Location& location) {
    if (count_slashes(location.repo) != 1 || strip_slashes(location.repo) != location.repo) {
        return "the repo must be ORG/NAME";
    }
    if (location.revision && location.revision->empty()) {
        return "the revision after '@' is missing";
    }
    if (location.path.starts_with('/') || location.path.find("//") != std::string_view::npos) {
        return "the path has an empty part";
    }
    return nullptr;
}

} // namespace

bool is_hub_uri(std::string_view text) {
    return text.starts_with(scheme);
}

Result<RepoReference> parse_hub_uri(std::string_view uri) {
    std::string_view rest = uri.substr(scheme.size());
    const bool folder = rest.ends_with('/');
    auto type = take_type(rest);
    if (!type) {
        return type.error();
    }
    const Location location = split_location(strip_slashes(rest));
    if (const char* fault = fault_of(location)) {
        return bad_uri(uri, fault);
    }
    RepoReference reference;
    reference.repo = location.repo;
    reference.repo_type = std::move(*type).value_or("model");
    if (location.revision) {
        reference.revision = decode_revision(*location.revision);
    }
    if (!location.path.empty()) {
        reference.path = std::string{location.path} + (folder ? "/" : "");
    }
    return reference;
}

Result<RepoReference> parse_repo_id(std::string_view id) {
    RepoReference reference;
    if (count_slashes(id) == 2) {
        auto type = take_type(id);
        if (!type) {
            return type.error();
        }
        reference.repo_type = std::move(*type);
    }
    reference.repo = id;
    return reference;
}

Result<RepoReference> find_repo(const std::string& repo,
                                const std::optional<std::string>& repo_type,
                                const std::optional<std::string>& revision) {
    if (is_hub_uri(repo)) {
        if (repo_type || revision) {
            return Error{ErrorKind::invalid_request,
                         fmt::format("{} cannot be used with '{}'",
                                     repo_type ? "--repo-type" : "--revision", repo)};
        }
        return parse_hub_uri(repo);
    }
    auto reference = parse_repo_id(repo);
    if (!reference) {
        return reference;
    }
    if (reference->repo_type && repo_type && reference->repo_type != repo_type) {
        return Error{
            ErrorKind::invalid_request,
            fmt::format("'{}' and --repo-type {} contradict each other", repo, *repo_type)};
    }
    if (repo_type) {
        reference->repo_type = repo_type;
    }
    reference->revision = revision;
    return reference;
}

} // namespace wharf::cli
