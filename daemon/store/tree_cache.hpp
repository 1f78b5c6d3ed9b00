#pragma once

#include "daemon/hub/types.hpp"

#include <cstddef>
#include <list>
#include <string>
#include <unordered_map>
#include <utility>

namespace wharf::store {

/// The file lists used last. Bounded by files, not by lists: a list may have three or a million.
/// One thread.
class TreeCache {
  public:
    explicit TreeCache(std::size_t max_files) : max_files_{max_files} {}

    /// Null if it is not here.
    hub::TreePtr find(const std::string& key);

    /// The newest list stays even if it alone is over the bound.
    void insert(const std::string& key, hub::TreePtr tree);

  private:
    using Item = std::pair<std::string, hub::TreePtr>;

    void remove(std::list<Item>::iterator item);

    std::size_t max_files_;
    std::size_t files_ = 0;
    std::list<Item> items_; ///< newest use first
    std::unordered_map<std::string, std::list<Item>::iterator> index_;
};

} // namespace wharf::store
