#pragma once

#include "base/digest.hpp"
#include "base/error.hpp"
#include "daemon/async/semaphore.hpp"
#include "daemon/store/catalogue.hpp"
#include "daemon/store/directory.hpp"
#include "daemon/store/doors.hpp"
#include "daemon/store/partials.hpp"
#include "daemon/store/publisher.hpp"
#include "daemon/store/shelf.hpp"
#include "daemon/store/staging.hpp"
#include "daemon/store/store.hpp"
#include "daemon/store/tree_cache.hpp"
#include "daemon/store/upload_staging.hpp"
#include "daemon/store/warm_files.hpp"

#include <map>
#include <memory>
#include <string>

// Which thread does what: the caller's keeps the file lists and whom doors open to; `disk` alone
// touches catalogue, shelf and doors; the shared pool hashes, flushes, reserves, reads and writes
// file lists. Lambdas that are handed to a pool refer to the coroutine's frame, which waits for
// them.

namespace wharf::store {

/// A file list of the largest repos has a few hundred thousand files; one takes about 200 bytes.
constexpr std::size_t remembered_files = 500'000;

/// About 300 bytes each.
constexpr std::size_t remembered_warm_files = 100'000;

inline std::string require_commit(const std::string& commit) {
    if (!is_commit_id(commit)) {
        throw Error{ErrorKind::invalid_request, "'" + commit + "' is no commit"};
    }
    return commit;
}

/// What the store is made of.
struct Store::Impl {
    Impl(StoreOptions options, async::BlockingPool& pool);

    Awaitable<> finish(std::string folder, std::string commit, std::string revision);
    Awaitable<bool> copy(std::string folder, std::string commit, Shelf::Copy copy);
    Awaitable<bool> check(std::string folder, hub::TreeEntry entry);

    StoreOptions options;
    async::BlockingPool& pool;
    Directory cache;
    Staging staging;
    const bool acls;     ///< whether the file system has them
    const bool passable; ///< whether any other account may pass through the cache folder
    Directory state;     ///< held against other daemons
    std::unique_ptr<Catalogue> catalogue;
    Shelf shelf;
    Doors doors;
    TreeCache trees{remembered_files};
    WarmFiles warm{cache, remembered_warm_files};
    Partials partials;
    async::Semaphore partials_turn{1};
    std::map<hub::RepoId, Readers> open_to; ///< whom each door opens to
    async::BlockingPool disk{1};            // after what it uses, so that its thread ends first
    Publisher publisher;
    UploadStaging staged;
};

} // namespace wharf::store
