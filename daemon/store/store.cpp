#include "daemon/store/store.hpp"

#include "base/digest.hpp"
#include "base/log.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/hop.hpp"
#include "daemon/store/acl.hpp"
#include "daemon/store/blob_check.hpp"
#include "daemon/store/copy_blob.hpp"
#include "daemon/store/folders.hpp"
#include "daemon/store/layout.hpp"
#include "daemon/store/snapshot.hpp"
#include "daemon/store/store_impl.hpp"
#include "daemon/store/tree_files.hpp"
#include "daemon/store/writers.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <chrono>
#include <utility>

namespace wharf::store {

namespace {

constexpr auto lock_poll = std::chrono::milliseconds{100};

/// Awaits work that must not be left half done, even when the task is cancelled in the meantime.
Awaitable<> to_the_end(Awaitable<> work) {
    co_await async::run_to_end_on(co_await asio::this_coro::executor, std::move(work));
}

void require_blob_name(const std::string& etag) {
    if (!is_blob_name(etag)) {
        throw Error{ErrorKind::internal, fmt::format("'{}' is no name for a blob", etag)};
    }
}

Publication publication_of(std::unique_ptr<PartialFile> file, std::string repo_folder) {
    Publication made;
    made.etag = file->etag();
    made.repo_folder = std::move(repo_folder);
    made.file = std::move(file);
    return made;
}

/// What is made in it is closed at first: repos above all.
Directory open_cache_dir(StoreOptions& options) {
    Directory folder{prepare_cache_dir(options.cache_dir), 0700};
    guard_cache_dir(folder, options.lock_files, options.listable);
    return folder;
}

/// Two daemons, each with a cache of its own, would forget each other's blobs.
Directory claim_state_dir(StoreOptions& options) {
    Directory folder{prepare_state_dir(options.state_dir, options.cache_dir)};
    guard_state_dir(folder);
    claim(folder, fmt::format("the state folder {}", folder.path()), "daemon.state_dir");
    return folder;
}

} // namespace

Store::Impl::Impl(StoreOptions given, async::BlockingPool& blocking)
    : options{std::move(given)}, pool{blocking}, cache{open_cache_dir(options)},
      staging{cache, options.keep_partials, options.listable},
      acls{try_acls(staging.folder()->fd())}, passable{lets_others_pass(cache)},
      state{claim_state_dir(options)},
      catalogue{open_catalogue(options.state_dir / "catalogue.db", stamp_of(cache.fd()).device)},
      shelf{cache, staging, *catalogue}, doors{cache, acls, options.lock_files},
      partials{staging.folder(), Space{options.cache_dir, options.min_free}},
      publisher{cache, staging, partials.space(), *catalogue, pool, disk},
      staged{cache, partials.space(), shelf, publisher, pool, disk} {
    if (!options.lock_files) {
        keep_writers_out(cache);
    }
    adopt(cache, *catalogue);
    write_cachedir_tag(cache, staging);
    if (!acls) {
        log::warning("store", "{} has no ACLs: restricted repos are handed out by descriptor only",
                     cache.path());
    }
}

Store::Store(StoreOptions options, async::BlockingPool& pool)
    : impl_{std::make_unique<Impl>(std::move(options), pool)} {}

Store::~Store() = default;

Awaitable<std::optional<std::string>> Store::known_commit(hub::RepoId repo, std::string revision) {
    const std::string folder = layout::repo_folder(repo);
    const std::string checked = hub::parse_revision(revision).value();
    std::optional<std::string> commit =
        co_await impl_->disk.run([&] { return read_ref(impl_->cache, folder, checked); });
    co_return commit;
}

Awaitable<hub::TreePtr> Store::tree(hub::RepoId repo, std::string commit) {
    const std::string folder = layout::repo_folder(repo);
    const std::string key = folder + "/" + require_commit(commit);
    if (auto known = impl_->trees.find(key)) {
        co_return known;
    }
    hub::TreePtr tree =
        co_await impl_->pool.run([&] { return load_tree(impl_->cache, folder, commit); });
    if (tree) {
        impl_->trees.insert(key, tree);
    }
    co_return tree;
}

Awaitable<> Store::save_tree(hub::RepoId repo, std::string commit, hub::TreePtr tree) {
    const std::string folder = layout::repo_folder(repo);
    impl_->trees.insert(folder + "/" + require_commit(commit), tree);
    co_await impl_->pool.run(
        [&] { store_tree(impl_->cache, impl_->staging, folder, commit, *tree); });
}

Awaitable<BroughtIn> Store::bring_in(hub::RepoId repo, std::string commit, Entries wanted) {
    const std::string folder = layout::repo_folder(repo);
    require_commit(commit);
    std::optional<Readers> open_to;
    Shelf::Sorted sorted = co_await impl_->disk.run([&] {
        auto result = impl_->shelf.bring_in(folder, commit, std::move(wanted));
        open_to = impl_->doors.keep(folder);
        return result;
    });
    if (open_to) {
        impl_->open_to.insert_or_assign(repo, *std::move(open_to));
    }
    if (sorted.settled) {
        for (std::size_t i = 0; i < sorted.placed.size(); ++i) {
            impl_->warm.remember(folder, commit, sorted.placed[i], sorted.stamps[i]);
        }
    }
    for (const auto& copy : sorted.copies) {
        const bool copied = co_await impl_->copy(folder, commit, copy);
        if (!copied) {
            sorted.missing.push_back(copy.entry);
        }
    }
    co_return BroughtIn{std::move(sorted.missing), std::move(sorted.unverified), sorted.settled};
}

/// A file that cannot be linked may be large: the store's own thread must not copy it. False if it
/// is not there any more.
Awaitable<bool> Store::Impl::copy(std::string folder, std::string commit, Shelf::Copy copy) {
    std::unique_ptr<PartialFile> file = co_await pool.run([&] {
        return copy_blob(cache, staging, partials.space(), copy.entry.etag(), copy.from,
                         copy.stamp);
    });
    if (!file) {
        co_return false;
    }
    co_await to_the_end(publisher.publish(publication_of(std::move(file), folder)));
    co_await disk.run([&] { shelf.place(folder, commit, {copy.entry}); });
    co_return true;
}

Awaitable<std::vector<bool>> Store::held(hub::RepoId repo, std::string /*commit*/, Entries wanted) {
    const std::string folder = layout::repo_folder(repo);
    std::vector<bool> answers =
        co_await impl_->disk.run([&] { return impl_->shelf.held(folder, wanted); });
    co_return answers;
}

Awaitable<std::vector<bool>> Store::present(std::vector<std::string> etags) {
    for (const auto& etag : etags) {
        require_blob_name(etag);
    }
    std::vector<bool> answers =
        co_await impl_->disk.run([&] { return impl_->shelf.present(etags); });
    co_return answers;
}

Awaitable<bool> Store::verify(hub::RepoId repo, hub::TreeEntry entry) {
    const std::string folder = layout::repo_folder(repo);
    require_blob_name(entry.etag());
    const std::vector<std::string> candidates =
        co_await impl_->disk.run([&] { return impl_->shelf.candidates(folder, entry.etag()); });
    for (const auto& candidate : candidates) {
        const bool right = co_await impl_->check(candidate, entry);
        if (right) {
            co_return true;
        }
    }
    co_return false;
}

Awaitable<bool> Store::Impl::check(std::string folder, hub::TreeEntry entry) {
    std::optional<BlobCheck> check = co_await pool.run([&]() -> std::optional<BlobCheck> {
        UniqueFd file = BlobFiles{cache}.open(folder, entry.etag());
        return file ? std::make_optional<BlobCheck>(std::move(file), entry) : std::nullopt;
    });
    if (!check) {
        co_return false;
    }
    bool more = true;
    while (more) {
        more = co_await pool.run([&] { return check->read_slice(); });
    }
    const BlobCheck::Verdict verdict = check->verdict();
    if (verdict == BlobCheck::Verdict::right) {
        co_await disk.run([&] { shelf.record_verified(entry.etag(), folder, check->stamp()); });
    } else if (verdict == BlobCheck::Verdict::wrong) {
        log::warning("store", "removing blob {} of {}: its content is wrong", entry.etag(), folder);
        co_await disk.run([&] { shelf.discard(entry.etag(), folder, check->stamp()); });
    }
    co_return verdict == BlobCheck::Verdict::right;
}

Awaitable<std::unique_ptr<PartialFile>> Store::open_partial(std::string etag, std::uint64_t size,
                                                            std::uint64_t piece_size) {
    require_blob_name(etag);
    const auto turn = co_await impl_->partials_turn.acquire();
    std::unique_ptr<PartialFile> file =
        co_await impl_->pool.run([&] { return impl_->partials.open(etag, size, piece_size); });
    co_return file;
}

Awaitable<std::uint64_t> Store::available_bytes() {
    const std::uint64_t bytes =
        co_await impl_->pool.run([&] { return impl_->partials.space().available(); });
    co_return bytes;
}

Awaitable<std::uint64_t> Store::reserved_bytes(std::vector<std::string> etags) {
    const std::uint64_t bytes =
        co_await impl_->pool.run([&] { return impl_->partials.reserved(etags); });
    co_return bytes;
}

Awaitable<bool> Store::free_space(std::uint64_t bytes) {
    const auto turn = co_await impl_->partials_turn.acquire();
    const bool any = co_await impl_->pool.run([&] { return impl_->partials.free_space(bytes); });
    co_return any;
}

Awaitable<> Store::discard(std::unique_ptr<PartialFile> file) {
    co_await impl_->pool.run([&file] {
        file->discard();
        file.reset(); // closing it is what frees the space
    });
}

Awaitable<> Store::publish(std::unique_ptr<PartialFile> file, hub::RepoId repo) {
    co_await to_the_end(
        impl_->publisher.publish(publication_of(std::move(file), layout::repo_folder(repo))));
}

Awaitable<> Store::publish_bytes(std::string etag, std::vector<std::byte> content,
                                 hub::RepoId repo) {
    require_blob_name(etag);
    Publication publication;
    publication.etag = std::move(etag);
    publication.repo_folder = layout::repo_folder(repo);
    publication.content = std::move(content);
    co_await to_the_end(impl_->publisher.publish(std::move(publication)));
}

Awaitable<BlobLock> Store::lock_blob(hub::RepoId repo, std::string etag) {
    const std::string folder = layout::repo_folder(repo);
    require_blob_name(etag);
    bool waiting = false;
    while (impl_->options.lock_files) {
        std::optional<BlobLock> lock =
            co_await impl_->disk.run([&] { return try_lock_blob(impl_->cache, folder, etag); });
        if (lock) {
            co_return std::move(*lock);
        }
        if (!std::exchange(waiting, true)) {
            log::info("store", "waiting for another program's lock on {} of {}", etag, folder);
        }
        co_await async::sleep_for(lock_poll);
    }
    co_return BlobLock{};
}

Awaitable<> Store::finish_snapshot(hub::RepoId repo, std::string commit, std::string revision) {
    require_commit(commit);
    std::string checked = hub::parse_revision(revision).value();
    co_await to_the_end(
        impl_->finish(layout::repo_folder(repo), std::move(commit), std::move(checked)));
}

Awaitable<> Store::Impl::finish(std::string folder, std::string commit, std::string revision) {
    const Shelf::Pending pending =
        co_await disk.run([&] { return shelf.begin_finish(folder, commit); });
    co_await pool.run([&] {
        sync_all(pending.folders);
        if (revision != commit) {
            try_write_ref(cache, staging, folder, revision, commit);
        }
    });
    co_await disk.run([&] {
        shelf.end_finish(folder, commit, pending);
        doors.keep(folder);
    });
}

hub::TreePtr Store::remembered_tree(const hub::RepoId& repo, const std::string& commit) {
    return impl_->trees.find(layout::repo_folder(repo) + "/" + commit);
}

bool Store::still_in_place(const hub::RepoId& repo, const std::string& commit,
                           const hub::TreeEntry& entry) {
    return impl_->warm.still_in_place(layout::repo_folder(repo), commit, entry);
}

std::filesystem::path Store::snapshot_path(const hub::RepoId& repo,
                                           const std::string& commit) const {
    return impl_->options.cache_dir / layout::repo_folder(repo) / layout::snapshots / commit;
}

StagedFiles& Store::staged() noexcept {
    return impl_->staged;
}

const std::filesystem::path& Store::cache_dir() const noexcept {
    return impl_->options.cache_dir;
}

} // namespace wharf::store
