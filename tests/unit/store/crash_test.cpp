#include "tests/unit/store/fixture.hpp"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

// A child process publishes and links as fast as it can until it is killed at some moment; then a
// new store looks at what is left. Whatever the moment: blobs are whole, pointers lead to blobs,
// refs are whole and name snapshots, and nothing unfinished stays but what can be gone on with.

namespace fs = std::filesystem;
using namespace wharf::test;

namespace {

std::string content(int number) {
    return std::string(static_cast<std::size_t>(50'000 + number),
                       static_cast<char>('a' + number % 26));
}

std::string commit(int number) {
    return fmt::format("{:040x}", number);
}

/// Never returns, and says when it has begun.
[[noreturn]] void publish_for_ever(const fs::path& home, int begun) {
    StoreFixture f{home};
    f.store();
    [[maybe_unused]] const auto told = ::write(begun, "x", 1);
    for (int i = 0;; ++i) {
        const auto file = entry("sub/file.bin", content(i), i % 2 == 0);
        f.publish(model, file, content(i));
        f.bring_in(model, commit(i), {file});
        f.finish(model, commit(i), "main");
        f.bring_in(other, commit(i), {file});
        f.finish(other, commit(i), "dev/main");
    }
}

/// The parent has no threads at this time: none would come along.
void kill_after(const fs::path& home, std::chrono::microseconds time) {
    std::array<int, 2> pipe{};
    REQUIRE(::pipe2(pipe.data(), O_CLOEXEC) == 0);
    const wharf::UniqueFd reading{wharf::adopt_fd, pipe[0]};
    const wharf::UniqueFd writing{wharf::adopt_fd, pipe[1]};
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        publish_for_ever(home, writing.value());
    }
    char begun = 0;
    REQUIRE(::read(reading.value(), &begun, 1) == 1);
    std::this_thread::sleep_for(time);
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
}

/// How many blobs there are; all must be whole.
int check_blobs(const fs::path& repo) {
    int count = 0;
    if (!fs::exists(repo / "blobs")) { // killed while the repo's folders were made
        return 0;
    }
    for (const auto& blob : fs::directory_iterator{repo / "blobs"}) {
        const auto name = blob.path().filename().native();
        CHECK(hash_of(read(blob.path()), name.size() == 64) == name);
        ++count;
    }
    return count;
}

void check_pointers(const fs::path& repo) {
    if (!fs::exists(repo / "snapshots")) {
        CHECK_FALSE(fs::exists(repo / "refs"));
        return;
    }
    for (const auto& item : fs::recursive_directory_iterator{repo / "snapshots"}) {
        if (!item.is_directory()) {
            CHECK(item.is_symlink());
            CHECK(fs::exists(item.path()));
        }
    }
    for (const auto* ref : {"refs/main", "refs/dev/main"}) {
        if (fs::exists(repo / ref)) {
            CHECK(fs::exists(repo / "snapshots" / read(repo / ref) / "sub/file.bin"));
        }
    }
}

void check_unfinished(const fs::path& staging) {
    for (const auto& item : fs::directory_iterator{staging}) {
        auto sibling = item.path();
        sibling.replace_extension(sibling.extension() == ".partial" ? ".pieces" : ".partial");
        CHECK(fs::exists(sibling));
    }
}

} // namespace

TEST_CASE("killed at any moment, the cache is right and no rubbish stays") {
    int blobs = 0;
    for (int round = 0; round < 20; ++round) {
        const TempDir home;
        kill_after(home.path(), std::chrono::microseconds{4'321 * round});
        StoreFixture f{home.path()};
        f.store();
        check_unfinished(f.staging());
        for (const auto& repo : {f.repo(), f.other_repo()}) {
            if (fs::exists(repo)) {
                blobs += check_blobs(repo);
                check_pointers(repo);
            }
        }
        const auto file = entry("sub/file.bin", content(0), true);
        f.publish(model, file, content(0));
        CHECK(f.held(model, file));
    }
    MESSAGE("blobs found: " << blobs);
}

TEST_CASE("somebody who removes the repo again and again does not stop publishing") {
    StoreFixture f;
    f.store();
    std::atomic<bool> stop = false;
    std::thread remover{[&] {
        while (!stop) {
            std::error_code ignored;
            fs::remove_all(f.repo(), ignored);
            std::this_thread::yield();
        }
    }};
    int published = 0;
    for (int i = 0; i < 50; ++i) {
        try {
            f.publish(model, entry("a", content(i)), content(i));
            ++published;
        } catch (const wharf::Error& error) { // three times in a row: allowed, but said so
            CHECK(error.kind() == wharf::ErrorKind::storage);
        }
    }
    stop = true;
    remover.join();
    CHECK(published > 0);
    check_unfinished(f.staging());
    f.publish(model, entry("a", "x"), "x");
    CHECK(f.held(model, entry("a", "x")));
}
