#include "daemon/hub/hub_client.hpp"

#include "base/digest.hpp"
#include "daemon/hub/api_call.hpp"
#include "daemon/hub/file_answer.hpp"
#include "daemon/hub/header_fields.hpp"
#include "daemon/hub/hub_error.hpp"
#include "daemon/hub/hub_json.hpp"
#include "daemon/hub/redirects.hpp"
#include "daemon/hub/transport.hpp"
#include "daemon/hub/urls.hpp"

#include <fmt/format.h>

#include <cassert>
#include <functional>
#include <unordered_set>

namespace wharf::hub {

namespace {

constexpr std::size_t most_pages = 20'000;
constexpr std::size_t most_files = 2'000'000;

net::HttpRequest file_request(const net::Url& url, const net::Url& endpoint, const Token& token,
                              const std::optional<ByteRange>& range) {
    net::HttpRequest request = request_for(url, endpoint, token);
    if (range) {
        request.headers.add("Range", fmt::format("bytes={}-{}", range->begin, range->end - 1));
    }
    return request;
}

} // namespace

HubClient::HubClient(net::HttpClient& http, net::Url endpoint, QuotaObserver observer)
    : own_{std::make_unique<HttpTransport>(http, std::move(observer))}, transport_{own_.get()},
      endpoint_{std::move(endpoint)} {}

HubClient::HubClient(Transport& transport, net::Url endpoint)
    : transport_{&transport}, endpoint_{std::move(endpoint)} {}

HubClient::HubClient(HubClient&&) noexcept = default;
HubClient::~HubClient() = default;

Awaitable<std::string> HubClient::commit_of(RepoId repo, std::string revision, Token token) {
    const Subject subject{repo, revision, {}};
    net::Url url = revision_url(endpoint_, repo, revision);
    const ApiAnswer answer = co_await ask(std::move(url), std::move(token), subject);
    std::string commit = value_about(commit_from_json(answer.body), subject);
    if (is_commit_id(revision) && commit != revision) {
        throw Error{ErrorKind::protocol,
                    fmt::format("asked for commit {} of {}, the Hub answers {}", revision,
                                describe(repo), commit)};
    }
    co_return commit;
}

/// Of spaces, what the Hub says for all does not tell whether the files are there for all: they
/// may be "protected", and `gated` cannot be asked for. So the question is whether all may read.
Awaitable<RepoAccess> HubClient::standing(RepoId repo) {
    if (repo.type == RepoType::space) {
        co_await auth_check(std::move(repo), Token{});
        co_return RepoAccess{.is_private = false, .gated = false, .disabled = false};
    }
    const Subject subject{repo, {}, {}};
    net::Url url = standing_url(endpoint_, repo);
    const ApiAnswer answer = co_await ask(std::move(url), Token{}, subject);
    co_return value_about(access_from_json(answer.body), subject);
}

Awaitable<> HubClient::auth_check(RepoId repo, Token token) {
    const Subject subject{repo, {}, {}};
    net::Url url = auth_check_url(endpoint_, repo);
    const ApiAnswer answer = co_await ask(std::move(url), std::move(token), subject);
    // Only this answer is a proof, whatever else of the Hub's a redirect (to a page where one can
    // log in) led to.
    const std::string_view target = answer.url.target;
    if (!target.starts_with(api_path(endpoint_, repo.type)) || !target.ends_with("/auth-check")) {
        throw Error{ErrorKind::protocol,
                    fmt::format("the question who may read {} is redirected to something else",
                                describe(repo))};
    }
}

Awaitable<TokenOwner> HubClient::whoami(Token token) {
    const Subject subject = token_account();
    net::Url url = whoami_url(endpoint_);
    const ApiAnswer answer = co_await ask(std::move(url), std::move(token), subject);
    co_return value_about(owner_from_json(answer.body), subject);
}

Awaitable<TreePtr> HubClient::list_tree(RepoId repo, std::string commit, Token token) {
    const Subject subject{repo, commit, {}};
    net::Url url = tree_url(endpoint_, repo, commit);
    std::vector<TreeEntry> files;
    // Hashes instead of URLs: cursors may be long, and a wrong hit in 20,000 is not to be expected.
    std::unordered_set<std::size_t> seen;
    while (seen.insert(std::hash<std::string>{}(url.target)).second) {
        if (seen.size() > most_pages) {
            throw Error{ErrorKind::protocol, fmt::format("the listing of {} has more than {} pages",
                                                         describe(subject), most_pages)};
        }
        const ApiAnswer answer = co_await ask(std::move(url), token, subject);
        value_about(append_tree_page(answer.body, files, most_files), subject);
        const auto next = value_about(next_link(answer.headers), subject);
        if (!next) {
            co_return value_about(make_tree(std::move(files)), subject);
        }
        url = next_page(*next, answer.url, endpoint_, subject).value();
    }
    throw Error{
        ErrorKind::protocol,
        fmt::format("the pages of the listing of {} go round in a circle", describe(subject))};
}

/// A GET of the API.
Awaitable<ApiAnswer> HubClient::ask(net::Url url, Token token, Subject subject) {
    ApiCall call;
    call.url = std::move(url);
    call.token = std::move(token);
    call.subject = std::move(subject);
    return ask_api(*transport_, endpoint_, std::move(call));
}

// Redirects of file bodies may leave the Hub, but not from https to http; answers of the
// endpoint's origin are the Hub's and are checked as such.
Awaitable<FileBody> HubClient::open_file(FileSource source, std::string etag, std::uint64_t size,
                                         std::optional<ByteRange> range,
                                         std::optional<net::Url> location) {
    assert(!range || (range->begin < range->end && range->end <= size));
    const ExpectedFile file{shared_file(source.repo, source.commit), source.commit, std::move(etag),
                            size};
    const bool located = location.has_value();
    net::Url url = located ? *std::move(location)
                           : file_url(endpoint_, source.repo, source.commit, source.path);
    for (int hop = 0; hop <= most_redirects; ++hop) {
        check_scheme(url, endpoint_, file.subject).value();
        net::HttpRequest request = file_request(url, endpoint_, source.token, range);
        net::HttpResponse response =
            co_await transport_->send(std::move(request), Account{source.token, Bucket::files});
        const bool from_hub = url.same_origin(endpoint_);
        if (from_hub && response.status() < 400) {
            check_identity(response, file).value();
        }
        if (response.status() == 200 || response.status() == 206) {
            const BodyStart start = check_body(response, range, file).value();
            co_return FileBody{std::move(response), std::move(url), start.first,
                               start.range_ignored};
        }
        const Ended answer = co_await read_rest(std::move(response));
        if (!is_redirect(answer.status)) {
            if (from_hub && !located) {
                throw hub_error(refusal_of(answer), file.subject);
            }
            throw location_error(refusal_of(answer), url, file.subject);
        }
        url = redirect_target(answer.headers, url, file.subject).value();
    }
    throw too_many_redirects(file.subject);
}

} // namespace wharf::hub
