#include "daemon/store/layout.hpp"

#include <algorithm>
#include <array>

namespace wharf::store::layout {

std::string repo_folder(const hub::RepoId& repo) {
    std::string folder{hub::name(repo.type)};
    folder += "s--";
    for (const char c : repo.name) {
        if (c == '/') {
            folder += "--";
        } else {
            folder += c;
        }
    }
    return folder;
}

std::optional<hub::RepoId> repo_of(std::string_view folder) {
    for (const auto type : {hub::RepoType::model, hub::RepoType::dataset, hub::RepoType::space}) {
        const auto prefix = repo_folder({type, ""});
        if (!folder.starts_with(prefix)) {
            continue;
        }
        std::string name{folder.substr(prefix.size())};
        if (const auto separator = name.find("--"); separator != std::string::npos) {
            name.replace(separator, 2, "/"); // no name of the Hub has "--" itself
        }
        if (auto repo = hub::RepoId::parse(type, name); repo && repo_folder(*repo) == folder) {
            return std::move(*repo);
        }
    }
    return {};
}

bool is_repo_folder(std::string_view name) noexcept {
    static constexpr std::array<std::string_view, 3> prefixes{"models--", "datasets--", "spaces--"};
    return std::ranges::any_of(prefixes, [&](auto prefix) {
        return name.size() > prefix.size() && name.starts_with(prefix);
    });
}

std::string pointer_target(std::string_view path, std::string_view etag) {
    std::string target = "../../";
    for (auto folders = std::ranges::count(path, '/'); folders > 0; --folders) {
        target += "../";
    }
    target += "blobs/";
    target += etag;
    return target;
}

SplitPath split(std::string_view path) noexcept {
    const auto slash = path.rfind('/');
    if (slash == std::string_view::npos) {
        return {"", path};
    }
    return {path.substr(0, slash), path.substr(slash + 1)};
}

} // namespace wharf::store::layout
