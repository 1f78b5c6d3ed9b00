#pragma once

#include "daemon/async/awaitable.hpp"
#include "daemon/hub/quota.hpp"
#include "daemon/hub/types.hpp"
#include "daemon/net/http_client.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace wharf::hub {

class Transport;
struct ApiAnswer;
struct Subject;

/// Part of a file, in bytes: [begin, end).
struct ByteRange {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

/// Where and as whom to ask for a file's content.
struct FileSource {
    RepoId repo;
    std::string commit; ///< 40 hex digits
    std::string path;
    Token token; ///< may be empty
};

/// A file's body that has begun to arrive.
struct FileBody {
    net::HttpResponse response;
    net::Url location;          ///< where the bytes come from; ask there for the next part
    std::uint64_t first = 0;    ///< offset of the body's first byte in the file
    bool range_ignored = false; ///< a range was asked for and the whole file comes
};

/// Speaks the Hub's protocol over one HttpClient (and so belongs to that client's thread). Every
/// call is one try: whether to try again is the caller's decision (transfer/retry.hpp). Errors are
/// made from X-Error-Code, status, Retry-After and RateLimit (hub_error.hpp). Must outlive the
/// coroutines it has returned.
class HubClient {
  public:
    /// `endpoint` may have a path prefix; `observer` is told what every answer says of quotas,
    /// redirects and those of other hosts included. Requires: the client outlives this.
    HubClient(net::HttpClient& http, net::Url endpoint, QuotaObserver observer = {});

    /// The same over any transport. Requires: the transport outlives this.
    HubClient(Transport& transport, net::Url endpoint);

    HubClient(HubClient&&) noexcept;
    HubClient& operator=(HubClient&&) = delete;
    ~HubClient();

    /// The commit that a revision names now. A commit's own id is asked for too, which proves that
    /// the token may see the repo.
    Awaitable<std::string> commit_of(RepoId repo, std::string revision, Token token);

    /// What the repo is to somebody without a token; what the Hub does not say counts against it.
    /// Throws the refusal (repo_not_found, gated, forbidden) when it is not even shown.
    Awaitable<RepoAccess> standing(RepoId repo);

    /// Returns when the token may read the repo's files, by the Hub's word; throws its refusal:
    /// unauthorized (the token is wrong, expired or revoked), repo_not_found, gated, forbidden.
    /// Without a token: whether everybody may.
    Awaitable<> auth_check(RepoId repo, Token token);

    /// Whose the token is; throws unauthorized when it is wrong, expired or revoked. The Hub
    /// allows few of these questions.
    Awaitable<TokenOwner> whoami(Token token);

    /// All files of a commit; follows the pages. A next page on another origin is refused. Limits:
    /// 64 MiB a page, 20,000 pages, 2,000,000 files.
    Awaitable<TreePtr> list_tree(RepoId repo, std::string commit, Token token);

    /// Starts reading a file. Follows redirects (at most 10); the token goes to the endpoint's
    /// origin only. `location`: where an earlier answer said the bytes are; used instead of asking
    /// the Hub again. `range`: the part wanted; none for the whole file. The answer is checked:
    /// commit, etag (must equal `etag`), total length (must equal `size`), the range's first byte,
    /// no content coding. Part of a range may come: the body's end is the part's end. Errors:
    /// protocol for answers that do not fit; for a 401, 403, 404 or 410 from a signed `location`,
    /// unavailable (ask the Hub again). Requires: the range is not empty and lies in the file.
    Awaitable<FileBody> open_file(FileSource source, std::string etag, std::uint64_t size,
                                  std::optional<ByteRange> range, std::optional<net::Url> location);

    const net::Url& endpoint() const noexcept { return endpoint_; }

  private:
    Awaitable<ApiAnswer> ask(net::Url url, Token token, Subject subject);

    std::unique_ptr<Transport> own_; ///< null when the transport is somebody else's
    Transport* transport_;
    net::Url endpoint_;
};

} // namespace wharf::hub
