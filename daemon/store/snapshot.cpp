#include "daemon/store/snapshot.hpp"

#include "base/digest.hpp"
#include "base/error.hpp"
#include "base/log.hpp"
#include "daemon/store/layout.hpp"

#include <fmt/format.h>

namespace wharf::store {

Snapshot::Snapshot(const Directory& cache, Staging& staging, const std::string& repo_folder,
                   const std::string& commit)
    : cache_{cache}, staging_{staging},
      root_path_{fmt::format("{}/{}/{}", repo_folder, layout::snapshots, commit)} {}

void Snapshot::make(Unsynced& unsynced) {
    if (!root_) {
        root_ = cache_.make(root_path_, &unsynced);
    }
}

const Directory& Snapshot::folder_of(std::string_view folder, Unsynced& unsynced) {
    make(unsynced);
    if (folder.empty()) {
        return *root_;
    }
    if (!current_ || current_name_ != folder) {
        current_ = root_->make(folder, &unsynced);
        current_name_ = folder;
    }
    return *current_;
}

void Snapshot::point(std::string_view path, std::string_view etag, Unsynced& unsynced) {
    const auto [folder, leaf] = layout::split(path);
    const std::string name{leaf};
    const std::string target = layout::pointer_target(path, etag);
    const Directory& directory = folder_of(folder, unsynced);
    if (directory.read_link(name) != target) {
        staging_.replace_link(directory, name, target);
        unsynced.insert(directory.path());
    }
}

namespace {

/// "refs" and the folders of the revision below it.
std::string ref_folder(const std::string& repo_folder, std::string_view folder) {
    return fmt::format("{}/{}{}{}", repo_folder, layout::refs, folder.empty() ? "" : "/", folder);
}

} // namespace

std::string read_pointer(const Directory& cache, const std::string& repo_folder,
                         const std::string& commit, const std::string& path) {
    const auto full = fmt::format("{}/{}/{}/{}", repo_folder, layout::snapshots, commit, path);
    const auto [folder, name] = layout::split(full);
    const auto directory = cache.open(folder);
    const auto entry = directory ? directory->look(std::string{name}) : std::nullopt;
    if (!entry) {
        throw Error{ErrorKind::file_not_found, fmt::format("{} is not in the cache", path)};
    }
    const std::string target = directory->read_link(std::string{name}).value_or("");
    std::string etag = target.substr(target.rfind('/') + 1);
    if (!is_blob_name(etag) || target != layout::pointer_target(path, etag)) {
        throw Error{ErrorKind::storage,
                    fmt::format("{} is no link to a file of the cache", directory->path_of(name)),
                    "download it again"};
    }
    return etag;
}

std::optional<std::string> read_ref(const Directory& cache, const std::string& repo_folder,
                                    const std::string& revision) {
    const auto [folder, name] = layout::split(revision);
    const auto directory = cache.open(ref_folder(repo_folder, folder));
    if (!directory) {
        return {};
    }
    auto content = directory->read_file(std::string{name}, 64);
    while (content && !content->empty() && (content->back() == '\n' || content->back() == ' ')) {
        content->pop_back(); // somebody's editor; the official client writes none
    }
    return content && is_commit_id(*content) ? content : std::nullopt;
}

void write_ref(const Directory& cache, Staging& staging, const std::string& repo_folder,
               const std::string& revision, const std::string& commit) {
    const auto [folder, name] = layout::split(revision);
    Unsynced unsynced;
    const Directory directory = cache.make(ref_folder(repo_folder, folder), &unsynced);
    if (directory.read_file(std::string{name}, 64) == commit) {
        return;
    }
    staging.replace_file(directory, std::string{name}, commit, Staging::Durability::flushed);
    sync_all(unsynced);
}

void try_write_ref(const Directory& cache, Staging& staging, const std::string& repo_folder,
                   const std::string& revision, const std::string& commit) {
    try {
        write_ref(cache, staging, repo_folder, revision, commit);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::storage) {
            throw;
        }
        log::error("store", "{} gets no ref {}: {}", repo_folder, revision, error.message());
    }
}

} // namespace wharf::store
