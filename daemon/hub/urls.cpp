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

/// "{endpoint path}/datasets/org/name": where a repo is for people, and for git. Models have no
/// prefix of their own.
std::string repo_path(const net::Url& endpoint, const RepoId& repo) {
    const std::string type = repo.type == RepoType::model ? "" : plural(repo.type) + '/';
    return fmt::format("{}/{}{}", prefix(endpoint), type, repo.name);
}

/// "{endpoint path}/api/models/org/name/{what}/{revision}".
net::Url of_revision(const net::Url& endpoint, const RepoId& repo, std::string_view what,
                     std::string_view revision) {
    return with_target(endpoint, fmt::format("{}{}/{}/{}", api_path(endpoint, repo.type), repo.name,
                                             what, net::percent_encode(revision, false)));
}

} // namespace

std::string api_path(const net::Url& endpoint, RepoType type) {
    return fmt::format("{}/api/{}/", prefix(endpoint), plural(type));
}

net::Url revision_url(const net::Url& endpoint, const RepoId& repo, std::string_view revision) {
    return of_revision(endpoint, repo, "revision", revision);
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
    return with_target(endpoint, fmt::format("{}/resolve/{}/{}", repo_path(endpoint, repo),
                                             net::percent_encode(revision, false),
                                             net::percent_encode(path, true)));
}

net::Url create_repo_url(const net::Url& endpoint) {
    return with_target(endpoint, fmt::format("{}/api/repos/create", prefix(endpoint)));
}

net::Url branch_url(const net::Url& endpoint, const RepoId& repo, std::string_view branch) {
    return of_revision(endpoint, repo, "branch", branch);
}

net::Url preupload_url(const net::Url& endpoint, const RepoId& repo, std::string_view revision,
                       bool for_pull_request) {
    net::Url url = of_revision(endpoint, repo, "preupload", revision);
    url.target += for_pull_request ? "?create_pr=1" : "";
    return url;
}

net::Url lfs_batch_url(const net::Url& endpoint, const RepoId& repo) {
    return with_target(endpoint, repo_path(endpoint, repo) + ".git/info/lfs/objects/batch");
}

net::Url validate_yaml_url(const net::Url& endpoint) {
    return with_target(endpoint, fmt::format("{}/api/validate-yaml", prefix(endpoint)));
}

net::Url paths_info_url(const net::Url& endpoint, const RepoId& repo, std::string_view revision) {
    return of_revision(endpoint, repo, "paths-info", revision);
}

net::Url new_commit_url(const net::Url& endpoint, const RepoId& repo, std::string_view revision) {
    return of_revision(endpoint, repo, "commit", revision);
}

net::Url commits_url(const net::Url& endpoint, const RepoId& repo, std::string_view revision) {
    return of_revision(endpoint, repo, "commits", revision);
}

net::Url discussions_url(const net::Url& endpoint, const RepoId& repo) {
    return with_target(endpoint,
                       fmt::format("{}{}/discussions", api_path(endpoint, repo.type), repo.name));
}

net::Url pull_requests_url(const net::Url& endpoint, const RepoId& repo) {
    net::Url url = discussions_url(endpoint, repo);
    url.target += "?p=0&type=pull_request&status=all";
    return url;
}

net::Url commit_page(const net::Url& endpoint, const RepoId& repo, std::string_view commit) {
    return with_target(endpoint, fmt::format("{}/commit/{}", repo_path(endpoint, repo), commit));
}

net::Url pull_request_page(const net::Url& endpoint, const RepoId& repo, std::uint64_t number) {
    return with_target(endpoint,
                       fmt::format("{}/discussions/{}", repo_path(endpoint, repo), number));
}

net::Url at_endpoint(net::Url url, const net::Url& endpoint) {
    static const net::Url hub = net::Url::parse("https://huggingface.co").value();
    if (!url.same_origin(hub)) {
        return url;
    }
    return with_target(endpoint, std::string{prefix(endpoint)} + url.target);
}

} // namespace wharf::hub
