#include "daemon/service/upload_wire.hpp"

#include "base/base64.hpp"
#include "base/digest.hpp"
#include "daemon/hub/urls.hpp"
#include "daemon/service/wire.hpp"
#include "protocol/utf8.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace wharf::service {

namespace json = boost::json;

namespace {

/// An unfinished job keeps its message in memory and on disk.
constexpr std::size_t longest_message = 64 << 10;

Error wrong(std::string message, std::string hint) {
    return Error{ErrorKind::invalid_request, std::move(message), std::move(hint)};
}

std::string read_message(const json::object& parameters, std::string_view name) {
    auto text = read_text(parameters, name).value_or("");
    if (text.size() > longest_message) {
        throw wrong(fmt::format("the {} of a commit may have {} bytes", name, longest_message),
                    "make it shorter");
    }
    return text;
}

/// The branch is compared with it, so it must be whole.
std::string read_parent(const json::object& parameters) {
    auto parent = read_text(parameters, "parent_commit").value_or("");
    if (!parent.empty() && !is_commit_id(parent)) {
        throw wrong(fmt::format("'{}' is no commit", parent),
                    "give all 40 hexadecimal digits of the parent commit");
    }
    return parent;
}

/// The descriptor of a file; none is taken twice.
async::ForeignFd take_descriptor(const json::object& file, const std::string& path,
                                 std::vector<async::ForeignFd>& descriptors) {
    const std::int64_t index = file.at("descriptor").as_int64();
    if (index < 0 || static_cast<std::uint64_t>(index) >= descriptors.size()) {
        throw wrong(fmt::format("'{}' names descriptor {}, and {} came with the call", path, index,
                                descriptors.size()),
                    "send the descriptors of all files of a call together with it");
    }
    async::ForeignFd& descriptor = descriptors[static_cast<std::size_t>(index)];
    if (!descriptor) {
        throw wrong(fmt::format("'{}' names descriptor {}, as another file does", path, index),
                    "send one descriptor for each file");
    }
    return std::move(descriptor);
}

std::optional<std::uint64_t> read_size(const json::object& file, const std::string& path) {
    const auto* value = file.if_contains("size");
    if (value == nullptr || value->is_null()) {
        return std::nullopt;
    }
    const std::int64_t size = value->as_int64();
    if (size < 0) {
        throw wrong(fmt::format("the size of '{}' is {}", path, size), "give no size below 0");
    }
    return static_cast<std::uint64_t>(size);
}

jobs::OfferedFile read_file(const json::object& file, std::vector<async::ForeignFd>& descriptors) {
    auto path = read_text(file, "path").value();
    auto source = take_descriptor(file, path, descriptors);
    const auto size = read_size(file, path);
    return {.path = std::move(path), .source = std::move(source), .size = size};
}

jobs::OfferedContent read_content(const json::object& file) {
    auto path = read_text(file, "path").value();
    auto content = from_base64(std::string_view{file.at("content").as_string()});
    if (!content) {
        throw wrong(fmt::format("the content of '{}' is not base64", path),
                    "encode it as RFC 4648, section 4, with padding and without line ends");
    }
    return {.path = std::move(path), .content = *std::move(content)};
}

jobs::PushedCopy read_copy(const json::object& copy) {
    jobs::PushedCopy read{.path = read_text(copy, "path").value(),
                          .from_path = read_text(copy, "from_path").value(),
                          .from_repo = {},
                          .from_revision = {}};
    if (read_text(copy, "from_repo")) {
        read.from_repo = read_repo(copy, "from_repo");
    } else if (read_text(copy, "from_repo_type")) {
        throw wrong(fmt::format("the copy to '{}' names a type, and no repo", read.path),
                    "give from_repo, too, or neither");
    }
    if (const auto revision = read_text(copy, "from_revision")) {
        read.from_revision = hub::parse_revision(*revision).value();
    }
    return read;
}

/// The elements of an optional list, read one by one.
template <typename T, typename Read>
std::vector<T> read_list(const json::object& parameters, std::string_view name, Read read) {
    std::vector<T> list;
    const auto* value = parameters.if_contains(name);
    if (value != nullptr && !value->is_null()) {
        for (const auto& element : value->as_array()) {
            list.push_back(read(element.as_object()));
        }
    }
    return list;
}

void require_few_files(const json::object& parameters) {
    std::size_t files = 0;
    for (const auto* name : {"files", "contents"}) {
        const auto* value = parameters.if_contains(name);
        files += value != nullptr && !value->is_null() ? value->as_array().size() : 0;
    }
    if (files > most_files_in_call) {
        throw wrong(
            fmt::format("{} files in one call: at most {} can be taken", files, most_files_in_call),
            "add them in several calls");
    }
}

} // namespace

jobs::UploadRequest read_upload(const json::object& parameters, uid_t uid) {
    jobs::UploadRequest request;
    request.uid = uid;
    request.repo = read_repo(parameters);
    if (const auto revision = read_text(parameters, "revision")) {
        request.revision = hub::parse_revision(*revision).value();
    }
    request.commit.summary = read_message(parameters, "message");
    request.commit.description = read_message(parameters, "description");
    request.commit.parent = read_parent(parameters);
    request.commit.create_pr = read_flag(parameters, "create_pr");
    request.commit.create = read_flag(parameters, "create");
    request.commit.is_private = read_flag(parameters, "private");
    request.commit.attached = read_flag(parameters, "attached");
    if (const auto priority = read_text(parameters, "priority")) {
        request.priority = jobs::priority_from(*priority).value();
    }
    return request;
}

jobs::OfferedChanges read_changes(const json::object& parameters,
                                  std::vector<async::ForeignFd>& descriptors) {
    require_few_files(parameters);
    jobs::OfferedChanges changes;
    changes.files =
        read_list<jobs::OfferedFile>(parameters, "files", [&descriptors](const json::object& file) {
            return read_file(file, descriptors);
        });
    if (changes.files.size() != descriptors.size()) {
        throw wrong(fmt::format("{} descriptors came with {} files", descriptors.size(),
                                changes.files.size()),
                    "send one descriptor for each file");
    }
    changes.contents = read_list<jobs::OfferedContent>(parameters, "contents", read_content);
    changes.copies = read_list<jobs::PushedCopy>(parameters, "copies", read_copy);
    changes.deleted_files = read_texts(parameters, "delete");
    changes.deleted_folders = read_texts(parameters, "delete_folders");
    changes.delete_patterns = read_texts(parameters, "delete_patterns");
    changes.below = read_text(parameters, "below").value_or("");
    return changes;
}

json::object result_of(const jobs::JobInfo& job, const net::Url& endpoint) {
    const jobs::UploadOutcome& outcome = job.push.value().outcome;
    json::value pull_request = nullptr;
    if (outcome.pull_request) {
        pull_request =
            hub::pull_request_page(endpoint, job.repo, *outcome.pull_request).to_string();
    }
    return {{"commit", job.commit},
            {"url", hub::commit_page(endpoint, job.repo, job.commit).to_string()},
            {"pull_request", std::move(pull_request)},
            {"commits", static_cast<std::int64_t>(outcome.commits)},
            {"files", static_cast<std::int64_t>(outcome.files)},
            {"bytes_sent", static_cast<std::int64_t>(outcome.bytes_sent)},
            {"warnings", warnings_of(job)}};
}

} // namespace wharf::service
