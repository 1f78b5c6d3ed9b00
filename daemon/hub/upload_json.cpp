#include "daemon/hub/upload_json.hpp"

#include "base/digest.hpp"
#include "daemon/hub/dom_json.hpp"
#include "daemon/hub/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace wharf::hub {

namespace {

constexpr std::size_t most_faults = 20;
constexpr std::size_t most_commits = 1000; // of a page; the Hub's has 50
constexpr std::size_t longest_shown_url = 1 << 10;

Result<void> read_verdict(dom::element element, Places& open, std::vector<Verdict>& verdicts) {
    Value path;
    Value mode;
    Value ignored;
    Value oid;
    const Wanted wanted[] = {
        {"path", &path}, {"uploadMode", &mode}, {"shouldIgnore", &ignored}, {"oid", &oid}};
    if (auto taken = take(element, "a file", wanted); !taken) {
        return taken;
    }
    const auto name = text_of(path, "a file", "path");
    if (!name) {
        return name.error();
    }
    const auto place = claim(open, *name);
    if (!place) {
        return place.error();
    }
    const std::string where = fmt::format("file {}", quoted(*name));
    const auto how = text_of(mode, where, "uploadMode");
    if (!how) {
        return how.error();
    }
    if (*how != "lfs" && *how != "regular") {
        return malformed(where, fmt::format("there is no upload mode {}", quoted(*how)));
    }
    Verdict& verdict = verdicts[*place];
    verdict.mode = *how == "lfs" ? UploadMode::lfs : UploadMode::regular;
    if (!ignored || ignored->get(verdict.ignored) != simdjson::SUCCESS) {
        return malformed(where, "its \"shouldIgnore\" is missing or neither true nor false");
    }
    std::string_view blob;
    if (oid && oid->get(blob) == simdjson::SUCCESS && is_blob_name(blob)) {
        verdict.oid = blob;
    }
    return {};
}

/// Adds what a list says for people.
void add_messages(simdjson::simdjson_result<dom::element> list, std::vector<std::string>& out) {
    dom::array items;
    if (list.get(items) != simdjson::SUCCESS) {
        return;
    }
    for (const dom::element item : items) {
        std::string_view message;
        if (out.size() >= most_faults) {
            return;
        }
        if (item["message"].get(message) == simdjson::SUCCESS) {
            std::string shown = spoken_text(message);
            out.push_back(shown.empty() ? "it cannot be shown here" : std::move(shown));
        }
    }
}

/// Empty unless it is an address that people may be shown: no query, not endless.
std::string shown_url(const Value& value) {
    std::string_view text;
    if (!value || value->get(text) != simdjson::SUCCESS || text.size() > longest_shown_url) {
        return {};
    }
    const auto url = net::Url::parse(text);
    return url ? url->to_log() : std::string{};
}

/// Without blanks at both ends: the Hub strips titles.
std::string_view stripped(std::string_view text) noexcept {
    constexpr std::string_view blanks = " \t\r\n\v\f";
    const auto begin = text.find_first_not_of(blanks);
    return begin == text.npos ? std::string_view{}
                              : text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

Result<CommitEntry> read_commit(dom::element element) {
    Value id;
    Value title;
    const Wanted wanted[] = {{"id", &id}, {"title", &title}};
    if (auto taken = take(element, "a commit", wanted); !taken) {
        return taken.error();
    }
    const auto commit = text_of(id, "a commit", "id");
    if (!commit) {
        return commit.error();
    }
    if (!is_commit_id(*commit)) {
        return malformed("a commit", "its \"id\" is not 40 hex digits");
    }
    const auto text = text_of(title, "a commit", "title");
    if (!text) {
        return text.error();
    }
    return CommitEntry{std::string{*commit}, std::string{*text}};
}

Result<std::uint64_t> read_number(const Value& value, std::string_view where) {
    const auto number = number_of(value, where, "num");
    if (number && *number == 0) {
        return malformed(where, "its \"num\" is 0");
    }
    return number;
}

} // namespace

Result<std::vector<Verdict>> verdicts_from_json(std::string_view body,
                                                std::span<const Candidate> candidates) {
    dom::parser parser;
    const auto files = list_in(parser, body, "files");
    if (!files) {
        return files.error();
    }
    Places open;
    for (const Candidate& candidate : candidates) {
        open.emplace(candidate.path, open.size());
    }
    std::vector<Verdict> verdicts(candidates.size());
    for (const dom::element element : *files) {
        if (auto read = read_verdict(element, open, verdicts); !read) {
            return read.error();
        }
    }
    if (auto all = check_all_came(open); !all) {
        return all.error();
    }
    return verdicts;
}

Result<void> created_from_json(std::string_view body) {
    dom::parser parser;
    const auto root = parse_json(parser, body);
    if (!root) {
        return root.error();
    }
    Value url;
    const Wanted wanted[] = {{"url", &url}};
    if (auto taken = take(*root, "the new repo", wanted); !taken) {
        return taken;
    }
    const auto text = text_of(url, "the new repo", "url");
    return text ? Result<void>{} : text.error();
}

Result<ReadmeFaults> faults_from_json(std::string_view body) {
    dom::parser parser;
    const auto root = parse_json(parser, body);
    if (!root) {
        return root.error();
    }
    if (!root->is_object()) {
        return malformed("the verdict on a README is not an object");
    }
    ReadmeFaults faults;
    add_messages((*root)["errors"], faults.errors);
    add_messages((*root)["warnings"], faults.warnings);
    return faults;
}

Result<CommitAnswer> commit_answer_from_json(std::string_view body) {
    constexpr std::string_view where = "the new commit";
    dom::parser parser;
    const auto root = parse_json(parser, body);
    if (!root) {
        return root.error();
    }
    Value oid;
    Value url;
    const Wanted wanted[] = {{"commitOid", &oid}, {"commitUrl", &url}};
    if (auto taken = take(*root, where, wanted); !taken) {
        return taken.error();
    }
    const auto commit = text_of(oid, where, "commitOid");
    if (!commit) {
        return commit.error();
    }
    if (!is_commit_id(*commit)) {
        return malformed(where, "its \"commitOid\" is not 40 hex digits");
    }
    return CommitAnswer{std::string{*commit}, shown_url(url)};
}

Result<std::vector<CommitEntry>> commits_from_json(std::string_view body) {
    dom::parser parser;
    const auto root = parse_json(parser, body);
    if (!root) {
        return root.error();
    }
    dom::array items;
    if (root->get(items) != simdjson::SUCCESS) {
        return malformed("the history is not a list");
    }
    std::vector<CommitEntry> commits;
    for (const dom::element item : items) {
        auto commit = read_commit(item);
        if (!commit) {
            return commit.error();
        }
        if (commits.size() >= most_commits) {
            return malformed(fmt::format("a page has more than {} commits", most_commits));
        }
        commits.push_back(*std::move(commit));
    }
    return commits;
}

Result<std::uint64_t> pull_request_from_json(std::string_view body) {
    constexpr std::string_view where = "the new pull request";
    dom::parser parser;
    const auto root = parse_json(parser, body);
    if (!root) {
        return root.error();
    }
    Value number;
    const Wanted wanted[] = {{"num", &number}};
    if (auto taken = take(*root, where, wanted); !taken) {
        return taken.error();
    }
    return read_number(number, where);
}

Result<std::vector<std::uint64_t>> open_pull_requests_from_json(std::string_view body,
                                                                std::string_view title) {
    constexpr std::string_view where = "a discussion";
    dom::parser parser;
    const auto items = list_in(parser, body, "discussions");
    if (!items) {
        return items.error();
    }
    std::vector<std::uint64_t> numbers;
    for (const dom::element item : *items) {
        Value number;
        Value name;
        Value status;
        Value is_pull;
        const Wanted wanted[] = {
            {"num", &number}, {"title", &name}, {"status", &status}, {"isPullRequest", &is_pull}};
        if (auto taken = take(item, where, wanted); !taken) {
            return taken.error();
        }
        const auto num = read_number(number, where);
        const auto called = text_of(name, where, "title");
        const auto state = text_of(status, where, "status");
        if (!num || !called || !state) {
            return !num ? num.error() : !called ? called.error() : state.error();
        }
        bool pull = false;
        const bool is = is_pull && is_pull->get(pull) == simdjson::SUCCESS && pull;
        if (is && (*state == "open" || *state == "draft") && stripped(*called) == stripped(title)) {
            numbers.push_back(*num);
        }
    }
    std::ranges::sort(numbers, std::greater{});
    return numbers;
}

} // namespace wharf::hub
