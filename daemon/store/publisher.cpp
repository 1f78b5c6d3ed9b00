#include "daemon/store/publisher.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/scope_exit.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/store/blob_files.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

// A batch goes through the steps of docs/cache-layout.md together: all contents are durable before
// the first name appears, each folder is flushed once after its last name, and one transaction
// notes them all. A file that fails on the way drops out; the others go on.

namespace wharf::store {

namespace {

using Items = std::vector<Publication*>;

/// How many files of a batch are flushed at a time: they share the commits of the journal.
constexpr std::size_t flushes_at_once = 4;

/// Files of this size are flushed before they join a batch, so that nobody waits for their bytes.
constexpr std::uint64_t large = 4 << 20;

/// Does something for each item that has not failed, and keeps what it throws there.
template <typename Function>
void for_each_good(const Items& items, Function function) {
    for (auto* item : items) {
        try {
            if (!item->failure) {
                function(*item);
            }
        } catch (...) { // rethrown by publish(), in the task that asked for this file
            item->failure = std::current_exception();
        }
    }
}

/// What went wrong concerns all that came this far. Called in a handler.
void fail_all(const Items& items) {
    for (auto* item : items) {
        if (!item->failure) {
            item->failure = std::current_exception();
        }
    }
}

/// Names all items of one repo, which are sealed, and makes the names durable. The repo's folders
/// are made when missing, also when somebody removes them at the same time. Throws what concerns
/// all items.
void name_in_repo(const Directory& cache, const std::string& repo_folder, Items items) {
    constexpr int tries = 3; // the official `cache rm` may remove the repo at any moment
    for (int i = 0; i < tries && !items.empty(); ++i) {
        Unsynced unsynced;
        const Directory blobs = make_repo(cache, repo_folder, &unsynced);
        Items again;
        for_each_good(items, [&](Publication& item) {
            if (item.file->move_to(blobs)) {
                item.stamp = stamp_of(item.file->fd());
            } else {
                again.push_back(&item);
            }
        });
        blobs.sync();
        sync_all(unsynced);
        items = std::move(again);
    }
    if (!items.empty()) {
        throw Error{ErrorKind::storage,
                    fmt::format("publishing {}: the folder {} is removed again and again",
                                items.front()->etag, repo_folder)};
    }
}

void name_all(const Directory& cache, const Items& items) {
    std::map<std::string, Items> by_repo;
    for (auto* item : items) {
        if (!item->failure) {
            by_repo[item->repo_folder].push_back(item);
        }
    }
    for (const auto& [repo_folder, of_repo] : by_repo) {
        try {
            name_in_repo(cache, repo_folder, of_repo);
        } catch (...) { // as above; nobody may rely on a name that was not flushed
            fail_all(of_repo);
        }
    }
}

} // namespace

Awaitable<> Publisher::publish(Publication publication) {
    std::vector<Publication> one;
    one.push_back(std::move(publication));
    co_await publish(std::move(one));
}

Awaitable<> Publisher::publish(std::vector<Publication> publications) {
    if (publications.empty()) {
        co_return;
    }
    for (auto& publication : publications) {
        if (publication.file && publication.file->size() >= large) {
            co_await pool_.run([&] { publication.file->seal(); });
        }
    }
    if (!forming_) {
        forming_ = std::make_shared<Batch>();
    }
    const auto batch = forming_;
    const bool is_first = batch->items.empty();
    for (auto& publication : publications) {
        batch->items.push_back(&publication);
    }
    if (is_first) {
        const auto turn = co_await turn_.acquire();
        forming_.reset(); // whoever comes now is of the next batch
        co_await run(*batch);
    } else {
        while (!batch->done) {
            co_await batch->changed.wait();
        }
    }
    for (const auto& publication : publications) {
        if (publication.failure) {
            std::rethrow_exception(publication.failure);
        }
    }
}

Awaitable<> Publisher::run(Batch& batch) {
    const auto& items = batch.items;
    const ScopeExit finished{[&batch] {
        batch.done = true;
        batch.changed.notify_all();
    }};
    try {
        co_await write_all(items);
        co_await pool_.run([&] { name_all(cache_, items); });
        co_await disk_.run([&] { record(items); });
    } catch (...) { // as above
        fail_all(items);
    }
    log::debug("store", "published {} blobs", items.size());
}

void Publisher::record(const Items& items) {
    auto transaction = catalogue_.begin(sqlite::Transaction::Kind::write);
    for (const auto* item : items) {
        if (!item->failure) {
            catalogue_.record_verified(item->etag, item->repo_folder, item->stamp);
        }
    }
    transaction.commit();
}

/// Makes all contents durable.
Awaitable<> Publisher::write_all(const Items& items) {
    const std::size_t shares = std::min(flushes_at_once, items.size());
    async::TaskGroup writers{co_await asio::this_coro::executor};
    for (std::size_t i = 0; i < shares; ++i) {
        Items share;
        for (std::size_t k = i; k < items.size(); k += shares) {
            share.push_back(items[k]);
        }
        writers.spawn("flushing blobs", write_share(std::move(share)));
    }
    co_await writers.join();
}

Awaitable<> Publisher::write_share(Items share) {
    co_await pool_.run([&] {
        for_each_good(share, [&](Publication& item) { write(item); });
        // Only now: the disk works on the others while it is waited for the first.
        for_each_good(share, [](Publication& item) { item.file->seal(); });
    });
}

void Publisher::write(Publication& item) {
    if (!item.file) {
        space_.require(item.content.size());
        item.file = std::make_unique<PartialFile>(staging_.folder(), staging_.new_name(item.etag),
                                                  item.etag, item.content.size());
        item.file->write_at(0, item.content);
    }
    item.file->start_writeback(0, item.file->size());
}

} // namespace wharf::store
