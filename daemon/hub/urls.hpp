#pragma once

#include "daemon/hub/types.hpp"
#include "daemon/net/url.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace wharf::hub {

// The Hub's addresses. `endpoint` may have a path prefix, with or without a final '/'. Revisions
// are escaped whole ("refs/pr/1" is "refs%2Fpr%2F1"), paths keep their slashes, repo names need no
// escaping (RepoId::parse).

/// Where all of the API for repos of that type is: "{endpoint path}/api/models/". For comparing.
std::string api_path(const net::Url& endpoint, RepoType type);

/// Asking it answers with what the Hub knows of a repo at a revision; its `sha` is the commit.
net::Url revision_url(const net::Url& endpoint, const RepoId& repo, std::string_view revision);

/// Asking it answers with who may see the repo (RepoAccess), and little else.
net::Url standing_url(const net::Url& endpoint, const RepoId& repo);

/// Answers 200 when the asker may read the repo's files.
net::Url auth_check_url(const net::Url& endpoint, const RepoId& repo);

net::Url whoami_url(const net::Url& endpoint);

/// The first page of all files of a commit, without the costly details (expand=false).
net::Url tree_url(const net::Url& endpoint, const RepoId& repo, std::string_view commit);

/// A file's content ("resolve"), directly or by redirect.
net::Url file_url(const net::Url& endpoint, const RepoId& repo, std::string_view revision,
                  std::string_view path);

// For writing (hub/upload_client.hpp).

net::Url create_repo_url(const net::Url& endpoint);
net::Url branch_url(const net::Url& endpoint, const RepoId& repo, std::string_view branch);
net::Url preupload_url(const net::Url& endpoint, const RepoId& repo, std::string_view revision,
                       bool for_pull_request);
net::Url lfs_batch_url(const net::Url& endpoint, const RepoId& repo);
net::Url validate_yaml_url(const net::Url& endpoint);
net::Url paths_info_url(const net::Url& endpoint, const RepoId& repo, std::string_view revision);
net::Url new_commit_url(const net::Url& endpoint, const RepoId& repo, std::string_view revision);
net::Url commits_url(const net::Url& endpoint, const RepoId& repo, std::string_view revision);
net::Url discussions_url(const net::Url& endpoint, const RepoId& repo);

/// The newest pull requests, whatever became of them.
net::Url pull_requests_url(const net::Url& endpoint, const RepoId& repo);

/// Pages for people.
net::Url commit_page(const net::Url& endpoint, const RepoId& repo, std::string_view commit);
net::Url pull_request_page(const net::Url& endpoint, const RepoId& repo, std::uint64_t number);

/// An address that the Hub gives out. One of the public Hub is meant to be the endpoint's where
/// the endpoint is a mirror of it, as the official client has it.
net::Url at_endpoint(net::Url url, const net::Url& endpoint);

} // namespace wharf::hub
