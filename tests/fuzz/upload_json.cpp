// JSON from the Hub to those who push: what is to be done with files and objects, what was made.
// Promises: what comes back is about what was asked; addresses can be asked and are as safe as the
// endpoint; parts cover the object; what is shown is printable.

#include "daemon/hub/upload_json.hpp"

#include "base/digest.hpp"
#include "daemon/hub/hub_json.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace wharf::fuzz {

namespace {

const std::string sha256(64, 'a');
const std::vector<hub::Candidate> candidates{{"a", 5, "x"}, {"b/c", 0, ""}};
const std::vector<hub::LfsObject> objects{{sha256, 25}, {std::string(64, 'b'), 7}};
const std::vector<std::string> paths{"a", "b/c"};
const net::Url endpoint = net::Url::parse("https://hub.example/hf").value();

template <typename T>
void check_error(const Result<T>& result) {
    if (result.has_error()) {
        require(result.error().kind() == ErrorKind::protocol, "a bad answer is the Hub's fault");
        require(is_printable(result.error().message()), "an error is one printable line");
    }
}

void check_place(const std::string& place) {
    const auto url = net::Url::parse(place);
    require(url && url->is_tls(), "bytes go to an address that is as safe as the endpoint");
}

void check_action(const hub::UploadAction& action, std::uint64_t size) {
    check_place(action.href);
    if (!action.verify.empty()) {
        check_place(action.verify);
    }
    for (const std::string& part : action.parts) {
        check_place(part);
    }
    const std::uint64_t count = action.parts.size();
    require(action.chunk_size == 0 ? count == 0
                                   : count > 0 && (size - 1) / action.chunk_size + 1 == count,
            "parts cover the object");
}

void check_objects(std::string_view input) {
    const auto answers = hub::batch_from_json(input, objects, endpoint);
    check_error(answers);
    if (!answers) {
        return;
    }
    require(answers->size() == objects.size(), "an answer for each object");
    for (std::size_t i = 0; i < objects.size(); ++i) {
        const hub::ObjectAnswer& answer = (*answers)[i];
        if (answer.action) {
            check_action(*answer.action, objects[i].size);
        }
        require(!answer.refusal || is_printable(answer.refusal->message()),
                "a refusal is one printable line");
    }
}

void check_files(std::string_view input) {
    const auto verdicts = hub::verdicts_from_json(input, candidates);
    check_error(verdicts);
    require(!verdicts || verdicts->size() == candidates.size(), "a verdict for each file");
    for (const hub::Verdict& verdict : verdicts ? *verdicts : std::vector<hub::Verdict>{}) {
        require(verdict.oid.empty() || is_blob_name(verdict.oid), "an oid is one");
    }
    const auto infos = hub::paths_from_json(input, paths);
    check_error(infos);
    require(!infos || infos->size() <= paths.size(), "each path at most once");
}

void check_made(std::string_view input) {
    check_error(hub::created_from_json(input));
    const auto commit = hub::commit_answer_from_json(input);
    check_error(commit);
    require(!commit || (is_commit_id(commit->commit) && is_printable(commit->url)),
            "a commit has its id, and an address that can be shown");
    const auto pull = hub::pull_request_from_json(input);
    check_error(pull);
    require(!pull || *pull > 0, "pull requests are counted from 1");
    check_error(hub::open_pull_requests_from_json(input, "title"));
    const auto commits = hub::commits_from_json(input);
    check_error(commits);
    require(!commits || commits->size() <= 1000, "a page has its limit");
}

} // namespace

void run(std::string_view input) {
    // simdjson reserves for any document of that length beforehand.
    const MemoryLimit limit{(64 << 10) + 64 * input.size()};
    check_objects(input);
    check_files(input);
    check_made(input);
    const auto faults = hub::faults_from_json(input);
    check_error(faults);
    for (const auto& text : faults ? faults->warnings : std::vector<std::string>{}) {
        require(is_printable(text), "what the Hub warns of can be shown");
    }
}

} // namespace wharf::fuzz
