#include "daemon/async/task_group.hpp"
#include "daemon/store/directory.hpp"
#include "tests/unit/store/fixture.hpp"

#include <boost/asio/post.hpp>

#include <atomic>
#include <chrono>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>

namespace fs = std::filesystem;
using namespace wharf::test;
using wharf::Awaitable;
using wharf::UniqueFd;
using wharf::async::TaskGroup;
using wharf::store::BlobLock;

namespace {

const std::string etag(64, 'e');

/// Another program's view of the lock, as the official client's library takes it.
class Peer {
  public:
    explicit Peer(const fs::path& path)
        : fd_{wharf::adopt_fd, ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0664)} {
        REQUIRE(fd_.is_open());
    }
    bool try_lock() { return ::flock(fd_.value(), LOCK_EX | LOCK_NB) == 0; }
    void unlock() { ::flock(fd_.value(), LOCK_UN); }

  private:
    UniqueFd fd_;
};

Awaitable<> take(wharf::store::Store& store, std::optional<BlobLock>& lock) {
    lock = co_await store.lock_blob(model, etag);
}

Awaitable<> wait_until_waiting(wharf::Executor executor) {
    for (int i = 0; i < 3; ++i) {
        co_await wharf::async::sleep_for(std::chrono::milliseconds{5});
        co_await wharf::asio::post(executor, wharf::asio::use_awaitable);
    }
}

struct LockFixture : StoreFixture {
    LockFixture() : StoreFixture{true} { store(); }
    fs::path path() const { return cache() / ".locks/models--org--name" / (etag + ".lock"); }
    std::optional<BlobLock> lock() { return get(store().lock_blob(model, etag)); }
};

} // namespace

TEST_CASE("the lock is the official client's: same path, same mode, flock") {
    LockFixture f;
    const auto before = ::umask(077);
    auto lock = f.lock();
    ::umask(before);
    CHECK(lock->is_held());
    CHECK(mode(f.path()) == 0664);
    CHECK(fs::file_size(f.path()) == 0);
    Peer peer{f.path()};
    CHECK_FALSE(peer.try_lock());
    lock.reset();
    CHECK(peer.try_lock());
    CHECK(fs::exists(f.path()));
}

TEST_CASE("without the option nothing is locked or created") {
    StoreFixture f;
    const auto lock = f.get(f.store().lock_blob(model, etag));
    CHECK_FALSE(lock.is_held());
    CHECK_FALSE(fs::exists(f.cache() / ".locks/models--org--name"));
}

TEST_CASE("a lock that another program holds is waited for") {
    LockFixture f;
    fs::create_directories(f.path().parent_path());
    Peer peer{f.path()};
    REQUIRE(peer.try_lock());
    std::optional<BlobLock> lock;
    const auto body = [&]() -> Awaitable<> {
        const auto executor = co_await wharf::asio::this_coro::executor;
        TaskGroup group{executor};
        group.spawn("lock", take(f.store(), lock));
        co_await wait_until_waiting(executor);
        CHECK_FALSE(lock);
        peer.unlock();
        co_await group.join();
    };
    f.run(body());
    REQUIRE(lock);
    CHECK(lock->is_held());
    CHECK_FALSE(peer.try_lock());
}

TEST_CASE("a lock file that was removed on release is made anew") {
    LockFixture f;
    fs::create_directories(f.path().parent_path());
    Peer old{f.path()};
    REQUIRE(old.try_lock());
    std::optional<BlobLock> lock;
    const auto body = [&]() -> Awaitable<> {
        const auto executor = co_await wharf::asio::this_coro::executor;
        TaskGroup group{executor};
        group.spawn("lock", take(f.store(), lock));
        co_await wait_until_waiting(executor);
        fs::remove(f.path());
        co_await group.join(); // although the old file is still locked
    };
    f.run(body());
    REQUIRE(lock);
    CHECK(lock->is_held());
    Peer peer{f.path()};
    CHECK_FALSE(peer.try_lock());
}

TEST_CASE("a lock that is held is never that of a removed file") {
    const TempDir dir;
    const wharf::store::Directory cache{dir.path()};
    const fs::path path = dir / ".locks/models--a--b" / (etag + ".lock");
    fs::create_directories(path.parent_path());
    std::atomic<bool> stop = false;
    std::thread remover{[&] { // locks, removes and releases, over and over
        while (!stop) {
            const UniqueFd fd{wharf::adopt_fd, ::open(path.c_str(), O_RDWR | O_CREAT, 0664)};
            struct stat info{};
            if (::flock(fd.value(), LOCK_EX | LOCK_NB) == 0 && ::fstat(fd.value(), &info) == 0 &&
                info.st_nlink == 1) {
                ::unlink(path.c_str());
            }
        }
    }};
    int held = 0;
    bool shared = false;
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds{300};
    while (std::chrono::steady_clock::now() < end) {
        const auto lock = wharf::store::try_lock_blob(cache, "models--a--b", etag);
        if (lock && lock->is_held()) {
            ++held;
            shared = shared || Peer{path}.try_lock();
        }
    }
    stop = true;
    remover.join();
    CHECK(held > 0);
    CHECK_FALSE(shared);
}

TEST_CASE("who waits for a lock can be cancelled") {
    LockFixture f;
    fs::create_directories(f.path().parent_path());
    Peer peer{f.path()};
    REQUIRE(peer.try_lock());
    std::optional<BlobLock> lock;
    const auto body = [&]() -> Awaitable<> {
        const auto executor = co_await wharf::asio::this_coro::executor;
        TaskGroup group{executor};
        group.spawn("lock", take(f.store(), lock));
        co_await wait_until_waiting(executor);
        group.cancel();
        co_await group.join();
    };
    f.run(body());
    CHECK_FALSE(lock);
    peer.unlock();
    CHECK(f.lock()->is_held());
}

TEST_CASE("a lock that cannot be taken is gone without") {
    LockFixture f;
    fs::create_directories(f.path().parent_path());
    SUBCASE("a link to somewhere") {
        write(f.outside() / "precious", "untouched");
        fs::create_symlink(f.outside() / "precious", f.path());
    }
    SUBCASE("a link to nowhere") {
        fs::create_symlink(f.outside() / "new", f.path());
    }
    SUBCASE("a folder") {
        fs::create_directory(f.path());
    }
    SUBCASE("a folder of locks that is a link") {
        fs::create_directories(f.outside());
        fs::remove(f.path().parent_path());
        fs::create_directory_symlink(f.outside(), f.path().parent_path());
    }
    CHECK_FALSE(f.lock()->is_held());
    CHECK_FALSE(fs::exists(f.outside() / "new"));
    CHECK_FALSE(fs::exists(f.outside() / (etag + ".lock")));
}

TEST_CASE("publishing that has begun is not cut in half by a cancellation") {
    StoreFixture f;
    const auto file = entry("a", "right");
    const auto body = [&]() -> Awaitable<> {
        const auto executor = co_await wharf::asio::this_coro::executor;
        TaskGroup group{executor};
        auto partial = co_await f.store().open_partial(file.etag(), file.size, piece_size);
        partial->write_at(0, std::as_bytes(std::span{std::string_view{"right"}}));
        group.spawn("publish", f.store().publish(std::move(partial), model));
        co_await wharf::asio::post(executor, wharf::asio::use_awaitable);
        group.cancel();
        co_await group.join();
    };
    f.run(body());
    CHECK(f.held(model, file)); // not merely on disk: known as right
}

TEST_CASE("finishing that has begun is not cut in half by a cancellation") {
    StoreFixture f;
    f.store();
    const auto body = [&]() -> Awaitable<> {
        const auto executor = co_await wharf::asio::this_coro::executor;
        TaskGroup group{executor};
        group.spawn("finish", f.store().finish_snapshot(model, commit_a, "main"));
        co_await wharf::asio::post(executor, wharf::asio::use_awaitable);
        group.cancel();
        co_await group.join();
    };
    f.run(body());
    CHECK(read(f.repo() / "refs/main") == commit_a);
}
