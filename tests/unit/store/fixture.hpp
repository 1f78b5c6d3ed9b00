#pragma once

#include "base/digest.hpp"
#include "daemon/async/blocking_pool.hpp"
#include "daemon/store/store.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace wharf::test {

inline const std::string commit_a(40, 'a');
inline const std::string commit_b(40, 'b');
inline const hub::RepoId model{hub::RepoType::model, "org/name"};
inline const hub::RepoId other{hub::RepoType::dataset, "org/data"};

/// Small, so that small contents have several pieces.
inline constexpr std::uint64_t piece_size = 16 << 10;

inline std::string hash_of(std::string_view content, bool large) {
    BlobHasher hasher{std::string(large ? 64 : 40, '0'), content.size()};
    hasher.update(std::as_bytes(std::span{content}));
    return hasher.finish();
}

/// How the Hub would list a file with this content.
inline hub::TreeEntry entry(std::string path, std::string_view content, bool large = false) {
    hub::TreeEntry made;
    made.path = std::move(path);
    made.size = content.size();
    made.blob_id = large ? std::string(40, '9') : hash_of(content, false);
    made.lfs_sha256 = large ? hash_of(content, true) : "";
    return made;
}

inline std::string read(const std::filesystem::path& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// Writes a file as some other program would, with its folders.
inline void write(const std::filesystem::path& path, std::string_view content) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream{path, std::ios::binary} << content;
}

inline struct stat stat_of(const std::filesystem::path& path) {
    struct stat info{};
    REQUIRE(::lstat(path.c_str(), &info) == 0);
    return info;
}

inline unsigned mode(const std::filesystem::path& path) {
    return stat_of(path).st_mode & 07777;
}

/// A store in a folder of its own; reopen() is a restart of the daemon.
class StoreFixture {
  public:
    explicit StoreFixture(bool lock_files = false)
        : own_{std::make_unique<TempDir>()}, home_{own_->path()}, lock_files_{lock_files} {}

    /// In a folder of somebody else's.
    explicit StoreFixture(std::filesystem::path home) : home_{std::move(home)} {}

    store::Store& store() {
        if (!store_) {
            store_ = std::make_unique<store::Store>(store::StoreOptions{.cache_dir = cache(),
                                                                        .state_dir = state(),
                                                                        .lock_files = lock_files_},
                                                    pool_);
        }
        return *store_;
    }
    void close() { store_.reset(); }
    store::Store& reopen() {
        close();
        return store();
    }

    std::filesystem::path cache() const { return home_ / "cache"; }
    std::filesystem::path state() const { return home_ / "state"; }
    std::filesystem::path outside() const { return home_ / "outside"; }
    std::filesystem::path repo() const { return cache() / "models--org--name"; }
    std::filesystem::path other_repo() const { return cache() / "datasets--org--data"; }
    std::filesystem::path staging() const { return cache() / ".locks/.wharf"; }

    void publish(const hub::RepoId& repo, const hub::TreeEntry& entry, std::string_view content) {
        run(publish_steps(repo, entry.etag(), content));
    }
    store::BroughtIn bring_in(const hub::RepoId& repo, const std::string& commit,
                              store::Entries wanted) {
        return get(store().bring_in(repo, commit, std::move(wanted)));
    }
    bool held(const hub::RepoId& repo, const hub::TreeEntry& entry) {
        return get(store().held(repo, commit_a, {entry})).at(0);
    }
    bool verify(const hub::RepoId& repo, const hub::TreeEntry& entry) {
        return get(store().verify(repo, entry));
    }
    void finish(const hub::RepoId& repo, const std::string& commit, const std::string& revision) {
        run(store().finish_snapshot(repo, commit, revision));
    }

    template <typename T>
    T get(Awaitable<T> operation) {
        std::optional<T> result;
        run(assign(std::move(operation), result));
        return std::move(*result);
    }
    void run(Awaitable<> operation) {
        // Flushing takes its time on a busy disk.
        test::run(std::move(operation), context_, std::chrono::seconds{60});
    }

  private:
    template <typename T>
    static Awaitable<> assign(Awaitable<T> operation, std::optional<T>& result) {
        result = co_await std::move(operation);
    }
    Awaitable<> publish_steps(hub::RepoId repo, std::string etag, std::string_view content) {
        auto file = co_await store().open_partial(etag, content.size(), piece_size);
        file->write_at(0, std::as_bytes(std::span{content}));
        co_await store().publish(std::move(file), repo);
    }

    std::unique_ptr<TempDir> own_;
    std::filesystem::path home_;
    bool lock_files_ = false;
    asio::io_context context_; // outlives the pools, which touch it last after it has the result
    async::BlockingPool pool_{2};
    std::unique_ptr<store::Store> store_;
};

} // namespace wharf::test
