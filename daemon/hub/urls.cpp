#include "daemon/hub/urls.hpp"

#include <fmt/format.h>

namespace wharf::hub {

namespace {

/// The endpoint's path without query and final '/': "" for a plain host.
std::string_view prefix(const net::Url& endpoint) noexcept {
    std::string_view path = endpoint.target;
    path = path.substr(0, path.find('?'));
    while (path.ends_with('/')) {
        path.remove_suffix(1);
    }
    return path;
}

/// "models", "datasets" or "spaces", as in the API's paths.
std::string plural(RepoType type) {
    return std::string{name(type)} + 's';
}

net::Url with_target(const net::Url& endpoint, std::string target) {
    net::Url url = endpoint;
    url.target = std::move(target);
    return url;
}

} // namespace

std::string api_path(const net::Url& endpoint, RepoType type) {
    return fmt::format("{}/api/{}/", prefix(endpoint), plural(type));
}

net::Url revision_url(const net::Url& endpoint, const RepoId& repo, std::string_view revision) {
    return with_target(endpoint, fmt::format("{}{}/revision/{}", api_path(endpoint, repo.type),
                                             repo.name, net::percent_encode(revision, false)));
}

net::Url standing_url(const net::Url& endpoint, const RepoId& repo) {
    return with_target(endpoint, fmt::format("{}{}?expand=private&expand=gated&expand=disabled",
                                             api_path(endpoint, repo.type), repo.name));
}

net::Url auth_check_url(const net::Url& endpoint, const RepoId& repo) {
    return with_target(endpoint,
                       fmt::format("{}{}/auth-check", api_path(endpoint, repo.type), repo.name));
}

net::Url whoami_url(const net::Url& endpoint) {
    return with_target(endpoint, fmt::format("{}/api/whoami-v2", prefix(endpoint)));
}

net::Url tree_url(const net::Url& endpoint, const RepoId& repo, std::string_view commit) {
    return with_target(endpoint, fmt::format("{}{}/tree/{}?recursive=true&expand=false",
                                             api_path(endpoint, repo.type), repo.name,
                                             net::percent_encode(commit, false)));
}

net::Url file_url(const net::Url& endpoint, const RepoId& repo, std::string_view revision,
                  std::string_view path) {
    // Models have no prefix of their own: {endpoint}/org/name/resolve/...
    const std::string type = repo.type == RepoType::model ? "" : plural(repo.type) + '/';
    return with_target(endpoint, fmt::format("{}/{}{}/resolve/{}/{}", prefix(endpoint), type,
                                             repo.name, net::percent_encode(revision, false),
                                             net::percent_encode(path, true)));
}

} // namespace wharf::hub
