#include "daemon/store/tree_cache.hpp"

namespace wharf::store {

hub::TreePtr TreeCache::find(const std::string& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) {
        return nullptr;
    }
    items_.splice(items_.begin(), items_, found->second);
    return found->second->second;
}

void TreeCache::insert(const std::string& key, hub::TreePtr tree) {
    if (const auto found = index_.find(key); found != index_.end()) {
        remove(found->second);
    }
    files_ += tree->files.size();
    items_.emplace_front(key, std::move(tree));
    index_.emplace(key, items_.begin());
    while (files_ > max_files_ && items_.size() > 1) {
        remove(std::prev(items_.end()));
    }
}

void TreeCache::remove(std::list<Item>::iterator item) {
    files_ -= item->second->files.size();
    index_.erase(item->first);
    items_.erase(item);
}

} // namespace wharf::store
