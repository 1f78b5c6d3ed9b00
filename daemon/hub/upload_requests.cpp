#include "daemon/hub/upload_requests.hpp"

#include "base/base64.hpp"
#include "daemon/net/url.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace wharf::hub {

namespace {

namespace json = boost::json;

json::object described(const LfsObject& object) {
    return {{"oid", object.oid}, {"size", object.size}};
}

} // namespace

std::string create_repo_request(const RepoId& repo, bool is_private) {
    const auto slash = repo.name.find('/');
    json::object request;
    if (slash == std::string::npos) {
        request["name"] = repo.name;
        request["organization"] = nullptr;
    } else {
        request["name"] = repo.name.substr(slash + 1);
        request["organization"] = repo.name.substr(0, slash);
    }
    request["type"] = name(repo.type);
    if (is_private) { // else what the namespace has as its default
        request["visibility"] = "private";
    }
    if (repo.type == RepoType::space) {
        request["sdk"] = "gradio"; // as the official client's upload command
    }
    return json::serialize(request);
}

std::string preupload_request(std::span<const Candidate> candidates,
                              const std::optional<std::string>& git_ignore) {
    json::array files;
    for (const Candidate& candidate : candidates) {
        files.push_back(json::object{{"path", candidate.path},
                                     {"sample", base64(candidate.sample)},
                                     {"size", candidate.size}});
    }
    json::object request{{"files", std::move(files)}};
    if (git_ignore) {
        request["gitIgnore"] = *git_ignore;
    }
    return json::serialize(request);
}

std::string batch_request(std::span<const LfsObject> objects, std::string_view ref) {
    json::array listed;
    for (const LfsObject& object : objects) {
        listed.push_back(described(object));
    }
    json::object request{{"operation", "upload"},
                         {"transfers", json::array{"basic", "multipart"}},
                         {"objects", std::move(listed)},
                         {"hash_algo", "sha256"}};
    if (!ref.empty()) {
        request["ref"] = json::object{{"name", ref}};
    }
    return json::serialize(request);
}

std::string complete_request(std::string_view oid, std::span<const std::string> etags) {
    json::array parts;
    for (const std::string& etag : etags) {
        parts.push_back(json::object{{"partNumber", parts.size() + 1}, {"etag", etag}});
    }
    return json::serialize(json::object{{"oid", oid}, {"parts", std::move(parts)}});
}

std::string verify_request(const LfsObject& object) {
    return json::serialize(described(object));
}

std::string validate_request(RepoType type, std::string_view text) {
    return json::serialize(json::object{{"content", text}, {"repoType", name(type)}});
}

std::string paths_request(std::span<const std::string> paths) {
    std::string request;
    for (const std::string& path : paths) {
        request.append("paths=").append(net::percent_encode(path, false)).append("&");
    }
    return request + "expand=false";
}

std::string pull_request_request(std::string_view title, std::string_view description) {
    return json::serialize(
        json::object{{"title", title}, {"description", description}, {"pullRequest", true}});
}

} // namespace wharf::hub
