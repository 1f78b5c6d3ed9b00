#include "daemon/store/tree_files.hpp"

#include "base/log.hpp"
#include "daemon/store/blob_files.hpp"
#include "daemon/store/layout.hpp"
#include "daemon/store/tree_json.hpp"

#include <fmt/format.h>

namespace wharf::store {

namespace {

/// Enough for about two million files; what is longer is not read to its end, and so not used.
constexpr std::size_t largest_file = 512 << 20;

std::string trees_folder(const std::string& repo_folder) {
    return fmt::format("{}/{}", repo_folder, layout::trees);
}

} // namespace

hub::TreePtr load_tree(const Directory& cache, const std::string& repo_folder,
                       const std::string& commit) {
    const auto folder = cache.open(trees_folder(repo_folder));
    const auto json = folder ? folder->read_file(commit + ".json", largest_file) : std::nullopt;
    if (!json) {
        return nullptr;
    }
    auto tree = read_tree(*json);
    if (!tree) {
        log::warning("store", "{}: {}; it will be fetched again", folder->path_of(commit + ".json"),
                     tree.error().message());
        return nullptr;
    }
    return *tree;
}

void store_tree(const Directory& cache, Staging& staging, const std::string& repo_folder,
                const std::string& commit, const hub::Tree& tree) {
    Unsynced unsynced;
    make_repo(cache, repo_folder,
              &unsynced); // trees/ alone is a broken repo to the official scanner
    const Directory trees = cache.make(trees_folder(repo_folder), &unsynced);
    staging.replace_file(trees, commit + ".json", write_tree(tree), Staging::Durability::none);
    sync_all(unsynced); // the folders only: later blobs rely on them
}

} // namespace wharf::store
