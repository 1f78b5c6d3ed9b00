#include "daemon/jobs/push_plan.hpp"

#include "base/wildcard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <string_view>
#include <unordered_set>

namespace wharf::jobs {

namespace {

/// The official client's scale, and how long a commit may take before the next is smaller.
constexpr std::array<std::size_t, 10> scale{20, 50, 75, 100, 125, 200, 250, 400, 600, 1000};
constexpr std::chrono::seconds quick{40};

bool is_below(std::string_view path, std::string_view folder) noexcept {
    return folder.empty() ||
           (path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/');
}

/// The files of a tree in a folder, which follow each other.
std::vector<std::string_view> files_below(const hub::Tree& tree, std::string_view folder) {
    std::vector<std::string_view> found;
    for (const auto& entry : tree.files) {
        if (is_below(entry.path, folder)) {
            found.push_back(entry.path);
        }
    }
    return found;
}

/// Collects what is to be deleted.
class Deleter {
  public:
    Deleter(const hub::Tree& tree, const std::vector<PushChange>& changes) : tree_{tree} {
        for (const auto& change : changes) {
            if (!change.is_deletion()) {
                added_.insert(change.path);
            }
        }
    }

    /// False: there is nothing of that name.
    bool remove(const std::string& path) {
        if (tree_.find(path) != nullptr) {
            remove_file(path);
            return true;
        }
        return remove_folder(path);
    }

    bool remove_folder(const std::string& path) {
        const auto files = files_below(tree_, path);
        const bool is_whole = std::ranges::none_of(
            added_, [&](std::string_view added) { return is_below(added, path); });
        if (is_whole && !files.empty()) {
            folders_.insert(path);
        } else {
            std::ranges::for_each(files, [this](auto file) { remove_file(file); });
        }
        return !files.empty();
    }

    void remove_matching(const std::string& pattern, const std::string& below) {
        const std::string whole = pattern.ends_with('/') ? pattern + "*" : pattern;
        for (const auto& entry : tree_.files) {
            if (is_below(entry.path, below)) {
                const auto start = below.empty() ? 0 : below.size() + 1;
                const auto relative = std::string_view{entry.path}.substr(start);
                if (entry.path != ".gitattributes" && matches(whole, relative)) {
                    remove_file(entry.path);
                }
            }
        }
    }

    /// What is in a folder that goes as a whole is not named beside it.
    Deletions take() const {
        const auto goes_with_a_folder = [this](const std::string& path) {
            return std::ranges::any_of(folders_,
                                       [&](const auto& folder) { return is_below(path, folder); });
        };
        Deletions found;
        std::ranges::remove_copy_if(folders_, std::back_inserter(found.folders),
                                    goes_with_a_folder);
        std::ranges::remove_copy_if(files_, std::back_inserter(found.files), goes_with_a_folder);
        return found;
    }

  private:
    void remove_file(std::string_view path) {
        if (!added_.contains(path)) {
            files_.emplace(path);
        }
    }

    const hub::Tree& tree_;
    std::unordered_set<std::string_view> added_;
    std::set<std::string> files_;
    std::set<std::string> folders_;
};

} // namespace

std::size_t SeriesPace::files() const noexcept {
    return scale[step_];
}

void SeriesPace::went_in(std::size_t files, std::chrono::steady_clock::duration took) noexcept {
    if (took > quick) {
        failed();
    } else if (files >= scale[step_] && step_ + 1 < scale.size()) {
        ++step_;
    }
}

void SeriesPace::failed() noexcept {
    step_ -= step_ > 0 ? 1 : 0;
}

std::vector<std::size_t> next_batch(const std::vector<PushChange>& changes, std::size_t files) {
    std::vector<std::size_t> batch;
    std::size_t contents = 0;
    for (std::size_t place = 0; place < changes.size(); ++place) {
        const auto& change = changes[place];
        if (!change.done && (!change.is_content() || contents < files)) {
            contents += change.is_content() ? 1 : 0;
            batch.push_back(place);
        }
    }
    return batch;
}

void cut_batch(const std::vector<PushChange>& changes, std::vector<std::size_t>& batch) {
    std::uint64_t bytes = 0;
    bool any = false;
    std::erase_if(batch, [&](std::size_t place) {
        const auto& change = changes[place];
        if (!change.is_content() || change.mode != hub::UploadMode::regular || change.ignored) {
            return false;
        }
        const bool fits = !any || bytes + change.size <= most_regular_bytes;
        any = true;
        bytes += fits ? change.size : 0;
        return !fits;
    });
}

Result<Deletions> resolve_deletions(const std::vector<PushChange>& changes, const hub::Tree& tree) {
    Deleter deleter{tree, changes};
    for (const auto& change : changes) {
        if (change.done || !change.is_deletion()) {
            continue;
        }
        bool found = true;
        if (change.kind == PushChange::Kind::delete_file) {
            found = deleter.remove(change.path);
        } else if (change.kind == PushChange::Kind::delete_folder) {
            found = deleter.remove_folder(change.path);
        } else {
            deleter.remove_matching(change.path, change.below);
        }
        if (!found) {
            return Error{ErrorKind::file_not_found,
                         fmt::format("'{}' is to be deleted and is not there", change.path),
                         "leave it out, or name it as the Hub lists it"};
        }
    }
    return deleter.take();
}

std::map<std::string, std::string> expected_of(const std::vector<PushChange>& changes,
                                               std::uint64_t commit) {
    std::set<std::string_view> stay; // what is added, and the folders it is in
    for (const auto& change : changes) {
        if (!change.is_deletion()) {
            const std::string_view path = change.path;
            for (auto end = path.size(); end != std::string_view::npos && end > 0;
                 end = path.find_last_of('/', end - 1)) {
                stay.insert(path.substr(0, end));
            }
        }
    }
    std::map<std::string, std::string> expected;
    for (const auto& change : changes) {
        if (change.commit != commit || change.done || change.ignored ||
            change.kind == PushChange::Kind::delete_pattern) {
            continue;
        }
        if (!change.is_deletion()) {
            expected.insert_or_assign(change.path, change.oid);
        } else if (!stay.contains(change.path)) {
            expected.try_emplace(change.path);
        }
    }
    return expected;
}

std::string hash_of_length(std::string_view hashes, std::size_t digits) {
    while (!hashes.empty()) {
        const std::string_view hash = hashes.substr(0, hashes.find(' '));
        if (hash.size() == digits) {
            return std::string{hash};
        }
        hashes.remove_prefix(std::min(hashes.size(), hash.size() + 1));
    }
    return {};
}

Message split_message(std::string summary, std::string description) {
    const auto end = summary.find_first_of("\r\n");
    if (end == std::string::npos) {
        return {.summary = std::move(summary), .description = std::move(description)};
    }
    std::string rest = summary.substr(end);
    rest.erase(0, std::min(rest.find_first_not_of("\r\n"), rest.size()));
    summary.resize(end);
    if (!rest.empty() && !description.empty()) {
        rest += "\n\n";
    }
    return {.summary = std::move(summary), .description = rest + description};
}

std::string part_title(const std::string& summary, std::uint64_t number) {
    return number <= 1 ? summary : fmt::format("{} (part {})", summary, number);
}

} // namespace wharf::jobs
