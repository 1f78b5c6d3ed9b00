#include "daemon/hub/upload_client.hpp"

#include "daemon/hub/api_call.hpp"
#include "daemon/hub/hub_error.hpp"
#include "daemon/hub/hub_json.hpp"
#include "daemon/hub/text.hpp"
#include "daemon/hub/upload_json.hpp"
#include "daemon/hub/upload_requests.hpp"
#include "daemon/hub/urls.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cassert>

namespace wharf::hub {

namespace {

constexpr std::string_view lfs_media_type = "application/vnd.git-lfs+json";
constexpr std::size_t longest_etag = 1 << 10;

/// The bytes of a large file, wherever they go.
constexpr std::string_view object_alias = "the object";

ApiCall call_for(net::Url url, Subject subject, Token token) {
    ApiCall call;
    call.url = std::move(url);
    call.subject = std::move(subject);
    call.token = std::move(token);
    return call;
}

/// Something to be changed, said in JSON.
ApiCall change(net::Url url, Subject subject, Token token, std::string body) {
    ApiCall call = call_for(std::move(url), std::move(subject), std::move(token));
    call.method = "POST";
    call.content_type = "application/json";
    call.body = std::move(body);
    call.writes = true;
    return call;
}

Subject subject_of(const CommitTarget& target) {
    return {target.repo, target.revision, {}};
}

/// A call to an address that the Hub gave out, and that was checked then; it may have been kept on
/// disk since.
ApiCall call_elsewhere(std::string method, const std::string& url) {
    Subject subject;
    subject.alias = object_alias;
    ApiCall call = call_for(net::Url::parse(url).value(), std::move(subject), {});
    call.method = std::move(method);
    return call;
}

ApiCall lfs_call(const std::string& url, std::string body) {
    ApiCall call = call_elsewhere("POST", url);
    call.accept = lfs_media_type;
    call.content_type = lfs_media_type;
    call.body = std::move(body);
    return call;
}

/// What goes into a JSON text.
void require_text(std::string_view text, std::string_view what) {
    if (!is_utf8(text)) {
        throw Error{ErrorKind::invalid_request, fmt::format("{} is not UTF-8 text", what)};
    }
}

/// An ETag goes back to where it came from, in JSON.
std::string checked_etag(const net::Headers& headers) {
    const std::string_view etag = headers.find("ETag").value_or("");
    const bool printable = std::ranges::all_of(etag, [](char c) { return c >= 0x20 && c < 0x7f; });
    if (etag.size() > longest_etag || !printable) {
        throw Error{ErrorKind::protocol,
                    fmt::format("the answer for {} has an ETag that is none", object_alias)};
    }
    return std::string{etag};
}

} // namespace

Awaitable<bool> UploadClient::create_repo(RepoId repo, bool is_private, Token token) {
    const Subject subject{repo, {}, {}};
    ApiCall call =
        change(create_repo_url(endpoint_), subject, token, create_repo_request(repo, is_private));
    call.also = {402, 403, 409};
    const ApiAnswer answer = co_await ask_api(transport_, endpoint_, std::move(call));
    if (answer.status < 300) {
        value_about(created_from_json(answer.body), subject);
        co_return true;
    }
    const Ended refusal{answer.status, answer.headers, answer.body};
    if (answer.status == 409) {
        // The official client knows this one by its text, too.
        if (error_text(answer.body).find("conflicting operation") != std::string::npos) {
            throw write_error(refusal_of(refusal), subject);
        }
        co_return false;
    }
    // Who may not make repos there may still see one, and write to it.
    ApiCall question = call_for(standing_url(endpoint_, repo), subject, std::move(token));
    question.also = {401, 403, 404};
    const ApiAnswer there = co_await ask_api(transport_, endpoint_, std::move(question));
    if (there.status != 200) {
        throw write_error(refusal_of(refusal), subject);
    }
    co_return false;
}

Awaitable<> UploadClient::create_branch(CommitTarget target) {
    ApiCall call = change(branch_url(endpoint_, target.repo, target.revision), subject_of(target),
                          target.token, "{}");
    call.also = {409};
    co_await ask_api(transport_, endpoint_, std::move(call));
}

Awaitable<std::vector<Verdict>> UploadClient::preupload(CommitTarget target,
                                                        std::vector<Candidate> candidates,
                                                        std::optional<std::string> git_ignore,
                                                        bool for_pull_request) {
    assert(candidates.size() <= candidates_per_request);
    require_text(git_ignore.value_or(""), ".gitignore");
    const Subject subject = subject_of(target);
    net::Url url = preupload_url(endpoint_, target.repo, target.revision, for_pull_request);
    ApiCall call = change(std::move(url), subject, std::move(target.token),
                          preupload_request(candidates, git_ignore));
    const ApiAnswer answer = co_await ask_api(transport_, endpoint_, std::move(call));
    auto verdicts = value_about(verdicts_from_json(answer.body, candidates), subject);
    for (std::size_t i = 0; i < verdicts.size(); ++i) {
        if (candidates[i].size == 0) { // there is no object without bytes
            verdicts[i].mode = UploadMode::regular;
        }
    }
    co_return verdicts;
}

Awaitable<std::vector<ObjectAnswer>>
UploadClient::batch(CommitTarget target, std::vector<LfsObject> objects, bool for_pull_request) {
    assert(objects.size() <= objects_per_batch);
    const Subject subject = subject_of(target);
    const std::string_view ref = for_pull_request ? std::string_view{} : target.revision;
    ApiCall call = change(lfs_batch_url(endpoint_, target.repo), subject, target.token,
                          batch_request(objects, ref));
    call.accept = lfs_media_type;
    call.content_type = lfs_media_type;
    const ApiAnswer answer = co_await ask_api(transport_, endpoint_, std::move(call));
    co_return value_about(batch_from_json(answer.body, objects, endpoint_), subject);
}

Awaitable<std::string> UploadClient::put(std::string url, std::shared_ptr<net::RequestBody> body) {
    ApiCall call = call_elsewhere("PUT", url);
    call.stream = std::move(body);
    const Ended answer = co_await send_elsewhere(transport_, endpoint_, std::move(call));
    co_return checked_etag(answer.headers);
}

Awaitable<> UploadClient::complete(std::string url, std::string oid,
                                   std::vector<std::string> etags) {
    ApiCall call = lfs_call(url, complete_request(oid, etags));
    co_await send_elsewhere(transport_, endpoint_, std::move(call));
}

Awaitable<> UploadClient::verify(std::string url, LfsObject object, Token token) {
    ApiCall call = call_elsewhere("POST", url);
    call.content_type = "application/json";
    call.body = verify_request(object);
    call.token = std::move(token);
    co_await send_elsewhere(transport_, endpoint_, std::move(call));
}

Awaitable<std::vector<std::string>> UploadClient::validate_readme(RepoType type, std::string text,
                                                                  Token token) {
    require_text(text, "README.md");
    Subject subject;
    subject.alias = "the metadata in README.md";
    ApiCall call = change(validate_yaml_url(endpoint_), subject, std::move(token),
                          validate_request(type, text));
    call.also = {400};
    const ApiAnswer answer = co_await ask_api(transport_, endpoint_, std::move(call));
    ReadmeFaults faults = value_about(faults_from_json(answer.body), subject);
    if (answer.status == 400 || !faults.errors.empty()) {
        throw Error{ErrorKind::invalid_request,
                    fmt::format("the metadata in README.md are not valid: {}",
                                faults.errors.empty()
                                    ? "the Hub does not say why"
                                    : fmt::format("{}", fmt::join(faults.errors, "; "))),
                    "correct the block between the lines '---' at its beginning"};
    }
    co_return std::move(faults.warnings);
}

Awaitable<std::vector<PathInfo>> UploadClient::paths_info(CommitTarget target,
                                                          std::vector<std::string> paths) {
    assert(paths.size() <= paths_per_request);
    const Subject subject = subject_of(target);
    ApiCall call = call_for(paths_info_url(endpoint_, target.repo, target.revision), subject,
                            std::move(target.token));
    call.method = "POST";
    call.content_type = "application/x-www-form-urlencoded";
    call.body = paths_request(paths);
    const ApiAnswer answer = co_await ask_api(transport_, endpoint_, std::move(call));
    co_return value_about(paths_from_json(answer.body, paths), subject);
}

Awaitable<CommitAnswer> UploadClient::commit(CommitTarget target,
                                             std::shared_ptr<net::RequestBody> body) {
    const Subject subject = subject_of(target);
    ApiCall call = change(new_commit_url(endpoint_, target.repo, target.revision), subject,
                          std::move(target.token), {});
    call.content_type = "application/x-ndjson";
    call.stream = std::move(body);
    const ApiAnswer answer = co_await ask_api(transport_, endpoint_, std::move(call));
    CommitAnswer made = value_about(commit_answer_from_json(answer.body), subject);
    if (made.url.empty()) {
        made.url = commit_url(target.repo, made.commit);
    }
    co_return made;
}

Awaitable<std::vector<CommitEntry>> UploadClient::commits(CommitTarget target) {
    const Subject subject = subject_of(target);
    ApiCall call = call_for(commits_url(endpoint_, target.repo, target.revision), subject,
                            std::move(target.token));
    const ApiAnswer answer = co_await ask_api(transport_, endpoint_, std::move(call));
    co_return value_about(commits_from_json(answer.body), subject);
}

Awaitable<std::uint64_t> UploadClient::open_pull_request(RepoId repo, std::string title,
                                                         std::string description, Token token) {
    const Subject subject{repo, {}, {}};
    ApiCall call = change(discussions_url(endpoint_, repo), subject, std::move(token),
                          pull_request_request(title, description));
    const ApiAnswer answer = co_await ask_api(transport_, endpoint_, std::move(call));
    co_return value_about(pull_request_from_json(answer.body), subject);
}

Awaitable<std::vector<std::uint64_t>>
UploadClient::find_pull_requests(RepoId repo, std::string title, Token token) {
    const Subject subject{repo, {}, {}};
    ApiCall call = call_for(pull_requests_url(endpoint_, repo), subject, std::move(token));
    const ApiAnswer answer = co_await ask_api(transport_, endpoint_, std::move(call));
    co_return value_about(open_pull_requests_from_json(answer.body, title), subject);
}

std::string UploadClient::commit_url(const RepoId& repo, const std::string& commit) const {
    return commit_page(endpoint_, repo, commit).to_string();
}

std::string UploadClient::pull_request_url(const RepoId& repo, std::uint64_t number) const {
    return pull_request_page(endpoint_, repo, number).to_string();
}

} // namespace wharf::hub
