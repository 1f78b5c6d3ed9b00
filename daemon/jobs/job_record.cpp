#include "daemon/jobs/job_record.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace wharf::jobs {

namespace {

constexpr std::array<std::pair<JobState, std::string_view>, 7> state_names{{
    {JobState::queued, "queued"},
    {JobState::running, "running"},
    {JobState::waiting, "waiting"},
    {JobState::paused, "paused"},
    {JobState::done, "done"},
    {JobState::failed, "failed"},
    {JobState::cancelled, "cancelled"},
}};

constexpr std::array<std::pair<Priority, std::string_view>, 3> priority_names{{
    {Priority::interactive, "interactive"},
    {Priority::normal, "normal"},
    {Priority::background, "background"},
}};

template <typename Names, typename Value>
std::string_view name_in(const Names& names, Value value) noexcept {
    return std::ranges::find(names, value, &Names::value_type::first)->second;
}

template <typename Names>
auto value_in(const Names& names, std::string_view name) noexcept {
    const auto found = std::ranges::find(names, name, &Names::value_type::second);
    return found == names.end() ? std::nullopt : std::optional{found->first};
}

} // namespace

std::string_view name(JobState state) noexcept {
    return name_in(state_names, state);
}

std::optional<JobState> job_state_from(std::string_view name) noexcept {
    return value_in(state_names, name);
}

std::string_view name(Priority priority) noexcept {
    return name_in(priority_names, priority);
}

std::optional<Priority> priority_from(std::string_view name) noexcept {
    return value_in(priority_names, name);
}

bool is_over(JobState state) noexcept {
    return state == JobState::done || state == JobState::failed || state == JobState::cancelled;
}

bool Order::same_work(const Order& other) const noexcept {
    const auto* mine = std::get_if<DownloadOrder>(&what);
    const auto* theirs = std::get_if<DownloadOrder>(&other.what);
    return mine != nullptr && theirs != nullptr && uid == other.uid && repo == other.repo &&
           commit == other.commit && (!commit.empty() || revision == other.revision) &&
           mine->filter == theirs->filter && mine->force == theirs->force;
}

} // namespace wharf::jobs
