#pragma once

#include "base/error.hpp"
#include "daemon/hub/types.hpp"
#include "daemon/jobs/push_change.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace wharf::jobs {

/// How many files the commits of a large push have, as the official client decides it: larger ones
/// while the Hub takes full ones quickly, smaller ones when it is slow or fails.
class SeriesPace {
  public:
    std::size_t files() const noexcept;

    /// A commit of so many files went in.
    void went_in(std::size_t files, std::chrono::steady_clock::duration took) noexcept;
    void failed() noexcept;

  private:
    std::size_t step_ = 6; ///< where the official client begins: 250 files
};

/// Bytes that are inside of one commit, before it is cut: the official client's 100 MiB.
inline constexpr std::uint64_t most_regular_bytes = std::uint64_t{100} << 20;

/// The changes of the next commit, as places in the list: up to `files` of those that are not done,
/// in their order. Copies and deletions are all in the first.
std::vector<std::size_t> next_batch(const std::vector<PushChange>& changes, std::size_t files);

/// Leaves out what would make a commit too large, once it is known how the Hub wants each file. One
/// file stays in any case.
void cut_batch(const std::vector<PushChange>& changes, std::vector<std::size_t>& batch);

/// What the deletions of a push come to.
struct Deletions {
    std::vector<std::string> files;
    std::vector<std::string> folders;
};

/// What is deleted of a tree: files and folders that are named must be there (else file_not_found);
/// a pattern may match nothing. What is added stays, and so does .gitattributes where only a
/// pattern names it.
Result<Deletions> resolve_deletions(const std::vector<PushChange>& changes, const hub::Tree& tree);

/// What tells that the commit of that number of a series has arrived: path → hash, empty where it
/// deletes. Not what patterns delete, nor what is deleted for something that is added there.
std::map<std::string, std::string> expected_of(const std::vector<PushChange>& changes,
                                               std::uint64_t commit);

/// The one of a content's known hashes (see PushChange) that has so many hex digits; else empty.
std::string hash_of_length(std::string_view hashes, std::size_t digits);

/// A message's first line, and the rest.
struct Message {
    std::string summary;
    std::string description;
};

/// Line ends have no place in a commit's title: what follows the first goes into the description.
Message split_message(std::string summary, std::string description);

/// The title of a series' commit, counted from 1.
std::string part_title(const std::string& summary, std::uint64_t number);

} // namespace wharf::jobs
