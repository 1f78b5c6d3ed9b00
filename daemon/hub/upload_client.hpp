#pragma once

#include "daemon/async/awaitable.hpp"
#include "daemon/hub/transport.hpp"
#include "daemon/hub/types.hpp"
#include "daemon/hub/upload_types.hpp"
#include "daemon/net/request_body.hpp"
#include "daemon/net/url.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wharf::hub {

/// Where commits go, and in whose name.
struct CommitTarget {
    RepoId repo;
    std::string revision; ///< a branch, or "refs/pr/N"
    Token token;
};

/// The writing half of the Hub's protocol over a transport, and on its thread. Every call is one
/// try. Errors as HubClient's; besides: conflict, when the branch is not where `parentCommit` says;
/// invalid_request, when the Hub finds fault with what is committed, in its own words; forbidden,
/// when the token may not write; unauthorized, without asking, when there is none. The token goes
/// to the endpoint's origin only, and never to signed URLs. Must outlive the coroutines it has
/// returned.
class UploadClient {
  public:
    /// Requires: the transport outlives this.
    UploadClient(Transport& transport, net::Url endpoint)
        : transport_{transport}, endpoint_{std::move(endpoint)} {}

    /// Makes a repo (private, or what the namespace has as its default). True: it is new; false: it
    /// was there already, also when the token may make none but sees it.
    Awaitable<bool> create_repo(RepoId repo, bool is_private, Token token);

    /// Makes a branch where the default branch is; one that is there stays as it is.
    Awaitable<> create_branch(CommitTarget target);

    /// At most candidates_per_request of them; a verdict for each, in their order. `git_ignore`:
    /// the content of the .gitignore that is in the commit, if there is one. `for_pull_request`:
    /// the commits will go to a pull request, so the right to write is not needed.
    Awaitable<std::vector<Verdict>> preupload(CommitTarget target,
                                              std::vector<Candidate> candidates,
                                              std::optional<std::string> git_ignore,
                                              bool for_pull_request);

    /// At most objects_per_batch of them; an answer for each, in their order. The ref is left out
    /// for pull requests. URLs are absolute, http or https, and not http when the endpoint is
    /// https.
    Awaitable<std::vector<ObjectAnswer>> batch(CommitTarget target, std::vector<LfsObject> objects,
                                               bool for_pull_request);

    /// Sends bytes to a signed URL; the answer's ETag as it came (empty if there is none). A 400,
    /// 401, 403, 404 or 410 is unavailable, and lasting unlike an overload: ask batch() for another
    /// URL. No token is sent.
    Awaitable<std::string> put(std::string url, std::shared_ptr<net::RequestBody> body);

    /// Puts parts together; `etags` as put() returned them, in order. Refusals as with put().
    Awaitable<> complete(std::string url, std::string oid, std::vector<std::string> etags);

    /// Asks whether the object has come. Refusals as with put(); integrity when what has come is
    /// not the object.
    Awaitable<> verify(std::string url, LfsObject object, Token token);

    /// Looks at the metadata in a README.md. Throws invalid_request with what is wrong with them;
    /// returns what the Hub warns of.
    Awaitable<std::vector<std::string>> validate_readme(RepoType type, std::string text,
                                                        Token token);

    /// Those of the paths (at most paths_per_request) that are there.
    Awaitable<std::vector<PathInfo>> paths_info(CommitTarget target,
                                                std::vector<std::string> paths);

    /// Makes a commit of a body in the form of commit_lines.hpp.
    Awaitable<CommitAnswer> commit(CommitTarget target, std::shared_ptr<net::RequestBody> body);

    /// The newest commits of a revision, newest first, one page: at least 20 if there are so many.
    Awaitable<std::vector<CommitEntry>> commits(CommitTarget target);

    /// Opens a pull request without commits against the default branch, and returns its number.
    Awaitable<std::uint64_t> open_pull_request(RepoId repo, std::string title,
                                               std::string description, Token token);

    /// Pull requests of that title which are not closed or merged, newest first: one that was
    /// opened just now, and whose answer was lost, is among them.
    Awaitable<std::vector<std::uint64_t>> find_pull_requests(RepoId repo, std::string title,
                                                             Token token);

    const net::Url& endpoint() const noexcept { return endpoint_; }

    /// For people.
    std::string commit_url(const RepoId& repo, const std::string& commit) const;
    std::string pull_request_url(const RepoId& repo, std::uint64_t number) const;

  private:
    Transport& transport_;
    net::Url endpoint_;
};

} // namespace wharf::hub
