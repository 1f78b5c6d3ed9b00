// What became of a commit, or of the opening of a pull request, whose answer nobody heard: the
// branch tells. See upload_commits.cpp.
#include "base/log.hpp"
#include "daemon/jobs/upload_work.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <string_view>

namespace wharf::jobs {

namespace {

std::string_view trimmed(std::string_view text) noexcept {
    constexpr std::string_view blank = " \t\r\n";
    const auto begin = text.find_first_not_of(blank);
    return begin == std::string_view::npos
               ? std::string_view{}
               : text.substr(begin, text.find_last_not_of(blank) - begin + 1);
}

Awaitable<> ask_history(hub::UploadClient& hub, hub::CommitTarget target,
                        std::vector<hub::CommitEntry>* history) {
    *history = co_await hub.commits(std::move(target));
}

Awaitable<> ask_paths(hub::UploadClient& hub, hub::CommitTarget target,
                      std::vector<std::string> paths, std::vector<hub::PathInfo>* found) {
    std::vector<hub::PathInfo> some = co_await hub.paths_info(std::move(target), std::move(paths));
    std::ranges::move(some, std::back_inserter(*found));
}

Awaitable<> ask_pull_requests(hub::UploadClient& hub, hub::CommitTarget target, std::string title,
                              std::vector<std::uint64_t>* numbers) {
    *numbers = co_await hub.find_pull_requests(std::move(target.repo), std::move(title),
                                               std::move(target.token));
}

} // namespace

Awaitable<> UploadWork::settle_pending() {
    if (!state_.pending || state_.pending->number == 0) {
        co_return;
    }
    const std::string now = co_await head();
    std::string commit = co_await arrived_as(now);
    if (!commit.empty()) {
        log::info("jobs", "job {}: commit {} had arrived", record_.id, commit);
        co_await commit_is_in(std::move(commit));
        co_return;
    }
    const auto upload = order_.upload;
    co_await context_.uploads.with_rows([upload](UploadRows& rows) { rows.clear_pending(upload); });
    state_.pending.reset();
}

/// The id of the commit that was on its way, if it is what follows on its parent; else empty. When
/// the history is too long to tell, files that are there already tell: they are not committed
/// again.
Awaitable<std::string> UploadWork::arrived_as(std::string head) {
    const SentCommit& sent = *state_.pending;
    if (head == sent.parent) {
        co_return std::string{};
    }
    std::vector<hub::CommitEntry> history;
    co_await ask(
        [this, &history](hub::UploadClient& hub) { return ask_history(hub, target(), &history); });
    const auto parent = std::ranges::find(history, sent.parent, &hub::CommitEntry::id);
    if (parent == history.begin() || parent == history.end()) {
        co_return std::string{};
    }
    const auto& child = *std::prev(parent);
    if (trimmed(child.title) != trimmed(sent.title)) {
        co_return std::string{};
    }
    const bool ours = co_await is_ours(child.id);
    co_return ours ? child.id : std::string{};
}

/// Whether a commit has all that the one on its way was to bring. What is deleted for something
/// that is added in its place says nothing.
Awaitable<bool> UploadWork::is_ours(std::string commit) {
    const std::map<std::string, std::string> wanted =
        expected_of(state_.changes, state_.pending->number);
    hub::CommitTarget at = target();
    at.revision = std::move(commit);
    std::vector<hub::PathInfo> found;
    std::vector<std::string> paths;
    for (auto place = wanted.begin(); place != wanted.end();) {
        paths.push_back(place->first);
        ++place;
        if (paths.size() == hub::paths_per_request || place == wanted.end()) {
            co_await ask([&](hub::UploadClient& hub) { return ask_paths(hub, at, paths, &found); });
            paths.clear();
        }
    }
    std::map<std::string, std::string> there;
    for (const auto& info : found) {
        there.emplace(info.path, info.is_folder ? "folder" : info.etag());
    }
    co_return std::ranges::all_of(wanted, [&](const auto& entry) {
        const auto place = there.find(entry.first);
        return entry.second.empty() ? place == there.end()
                                    : place != there.end() && place->second == entry.second;
    });
}

/// One that was opened, and whose answer was lost: of our title, and with nothing in it yet, so it
/// is where the branch was (one of `bases`).
Awaitable<std::optional<std::uint64_t>>
UploadWork::lost_pull_request(std::vector<std::string> bases) {
    std::vector<std::uint64_t> numbers;
    co_await ask([this, &numbers](hub::UploadClient& hub) {
        return ask_pull_requests(hub, target(), order_.summary, &numbers);
    });
    for (const auto number : numbers) {
        state_.pull_request = number; // what head() looks at
        const std::string at = co_await head();
        if (std::ranges::find(bases, at) != bases.end()) {
            co_return number;
        }
    }
    state_.pull_request.reset();
    co_return std::nullopt;
}

} // namespace wharf::jobs
