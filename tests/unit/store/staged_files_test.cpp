#include "base/digest.hpp"
#include "base/error.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/store/staged_files.hpp"
#include "tests/unit/store/fixture.hpp"
#include "tests/unit/store/read_gate.hpp"

#include <boost/asio/this_coro.hpp>

#include <array>
#include <fcntl.h>
#include <future>
#include <set>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace fs = std::filesystem;
using namespace wharf::test;
using wharf::Awaitable;
using wharf::Error;
using wharf::ErrorKind;
using wharf::UniqueFd;
using wharf::store::StagedFile;
using wharf::store::StagingOrder;

namespace {

constexpr std::uint64_t upload = 7;

UniqueFd open_file(const fs::path& path, int flags = O_RDONLY) {
    UniqueFd fd{wharf::adopt_fd, ::open(path.c_str(), flags | O_CLOEXEC)};
    REQUIRE(fd);
    return fd;
}

StagingOrder order(UniqueFd source, std::optional<std::uint64_t> size = {}, uid_t uid = 1000) {
    StagingOrder made;
    made.upload = upload;
    made.uid = uid;
    made.source = wharf::async::ForeignFd{std::move(source)};
    made.path = "model/file.bin";
    made.size = size;
    return made;
}

/// What a content that was read says of itself: sha256, and of a small one git's blob id.
std::string hashes_of(std::string_view content) {
    const auto hash = [content](std::size_t digits) {
        wharf::BlobHasher hasher{std::string(digits, '0'), content.size()};
        hasher.update(std::as_bytes(std::span{content}));
        return hasher.finish();
    };
    const bool may_be_regular = content.size() <= wharf::store::most_regular_size;
    return hash(64) + (may_be_regular ? ' ' + hash(40) : "");
}

std::size_t files_in(const fs::path& folder) {
    std::size_t count = 0;
    for (const auto& found : fs::recursive_directory_iterator{folder}) {
        count += found.is_directory() ? 0 : 1;
    }
    return count;
}

struct Staged : StoreFixture {
    using StoreFixture::StoreFixture;

    /// A file of somebody's; of another account's than ours, because those are taken another way.
    fs::path file(const std::string& name, std::string_view content, bool ours = false) {
        const auto path = outside() / name;
        write(path, content);
        if (!ours && ::geteuid() == 0) {
            REQUIRE(::chown(path.c_str(), 1000, 1000) == 0);
        }
        return path;
    }
    StagedFile take(UniqueFd source, std::optional<std::uint64_t> size = {}) {
        return get(store().staged().take(order(std::move(source), size)));
    }
    StagedFile take(const fs::path& path) { return take(open_file(path)); }

    /// The message with which it is refused.
    std::string refusal(UniqueFd source, std::optional<std::uint64_t> size = {}) {
        try {
            take(std::move(source), size);
            FAIL("taken");
        } catch (const Error& error) {
            CHECK(error.kind() == ErrorKind::invalid_request);
            CHECK_FALSE(error.hint().empty());
            CHECK(left_over() == 0);
            return error.message();
        }
        return {};
    }
    Awaitable<> publish_staged(std::string name, wharf::hub::RepoId repo,
                               wharf::hub::TreeEntry blob) {
        return store().staged().publish(upload, std::move(repo),
                                        {{.name = std::move(name), .entry = std::move(blob)}});
    }
    fs::path root() const { return staging() / "uploads"; }
    fs::path path_of(const StagedFile& taken) const {
        return root() / std::to_string(upload) / taken.name;
    }
    /// Files in the folders of uploads and beside them.
    std::size_t left_over() const { return files_in(staging()); }
};

void append(const fs::path& path, std::string_view more) {
    std::ofstream{path, std::ios::binary | std::ios::app} << more;
}

} // namespace

TEST_CASE("a file that is more than its account may have staged is not begun with") {
    Staged f;
    const auto take_at_most = [&f](std::uint64_t most) {
        StagingOrder made = order(open_file(f.file("a", "four")));
        made.most = most;
        return f.get(f.store().staged().take(std::move(made)));
    };
    try {
        take_at_most(3);
        FAIL("taken");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::quota);
    }
    CHECK(f.left_over() == 0);
    CHECK(take_at_most(4).size == 4);
}

TEST_CASE("a file is taken whole, privately, and without moving the caller's position") {
    for (const bool ours : {false, true}) {
        CAPTURE(ours);
        Staged f;
        const std::string content = std::string(3'000'000, 'a') + "end";
        const auto path = f.file("a", content, ours);
        const UniqueFd kept = open_file(path);
        UniqueFd passed{wharf::adopt_fd, ::dup(kept.value())}; // shares the position
        REQUIRE(::lseek(kept.value(), 5, SEEK_SET) == 5);
        const auto taken = f.take(std::move(passed));
        CHECK(::lseek(kept.value(), 0, SEEK_CUR) == 5);
        CHECK(taken.size == content.size());
        CHECK(taken.sample == content.substr(0, 512));
        CHECK(taken.hashes == hashes_of(content));
        CHECK(read(f.path_of(taken)) == content);
        CHECK(mode(f.path_of(taken)) == 0600);
        CHECK(mode(f.root()) == 0700);
        CHECK(mode(f.root() / "7") == 0700);
        write(path, "changed later");
        CHECK(read(f.path_of(taken)) == content);
        CHECK(f.left_over() == 1);
    }
}

TEST_CASE("what is empty or small is taken too, and bytes as well") {
    Staged f;
    const auto empty = f.take(f.file("empty", ""));
    CHECK(empty.size == 0);
    CHECK(empty.sample.empty());
    CHECK(empty.hashes == hashes_of(""));
    CHECK(fs::file_size(f.path_of(empty)) == 0);
    const std::string text = "some" + std::string(600, 'x');
    const auto bytes = f.get(f.store().staged().take_bytes(upload, text));
    CHECK(bytes.size == 604);
    CHECK(bytes.sample.size() == 512);
    CHECK(bytes.hashes == hashes_of(text));
    CHECK(read(f.path_of(bytes)) == text);
    const auto nothing = f.get(f.store().staged().take_bytes(upload, ""));
    CHECK(fs::file_size(f.path_of(nothing)) == 0);
    CHECK(std::set{empty.name, bytes.name, nothing.name}.size() == 3);
}

TEST_CASE("what is no regular file that can be read is refused") {
    Staged f;
    f.store();
    const auto pipe = f.outside() / "pipe";
    fs::create_directories(f.outside());
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    const auto file = f.file("a", "content");
    std::array<int, 2> sockets{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) == 0);
    const UniqueFd peer{wharf::adopt_fd, sockets[1]};
    CHECK(f.refusal(UniqueFd{wharf::adopt_fd, sockets[0]}) ==
          "model/file.bin is a socket, no regular file");
    CHECK(f.refusal(open_file(pipe, O_RDONLY | O_NONBLOCK)) ==
          "model/file.bin is a pipe, no regular file");
    CHECK(f.refusal(open_file(f.outside())) == "model/file.bin is a folder, no regular file");
    CHECK(f.refusal(open_file("/dev/zero")) == "model/file.bin is a device, no regular file");
    CHECK(f.refusal(open_file(file, O_WRONLY)) == "model/file.bin is not open for reading");
    CHECK(f.refusal(open_file(file, O_PATH)) == "model/file.bin is not open for reading");
    CHECK(f.refusal(open_file("/proc/self/environ")).find("made up by the kernel") !=
          std::string::npos);
    if (fs::exists("/sys/kernel/mm/transparent_hugepage/enabled")) {
        CHECK(f.refusal(open_file("/sys/kernel/mm/transparent_hugepage/enabled"))
                  .find("made up by the kernel") != std::string::npos);
    }
    CHECK(f.refusal(UniqueFd{}) == "model/file.bin is not open for reading");
}

TEST_CASE("of a file that others append to so much is taken as was said") {
    Staged f;
    const auto path = f.file("log", "0123456789");
    const auto taken = f.take(open_file(path), 4);
    CHECK(taken.size == 4);
    CHECK(taken.sample == "0123");
    CHECK(read(f.path_of(taken)) == "0123");
    CHECK(f.take(open_file(path), 0).size == 0);
    CHECK(f.take(open_file(path), 10).size == 10);
    f.run(f.store().staged().discard(upload));
    CHECK(f.refusal(open_file(path), 11).find("has 10 bytes, fewer than the 11") !=
          std::string::npos);
}

TEST_CASE("a prefix may be followed by more while it is read, but not be cut off") {
    Staged f;
    const std::string content(2'000'000, 'x');
    const auto path = f.file("log", content);
    {
        const ReadGate gate{path, [&] { append(path, "more"); }};
        if (!gate) {
            return;
        }
        CHECK(read(f.path_of(f.take(open_file(path), content.size()))) == content);
    }
    f.run(f.store().staged().discard(upload));
    const ReadGate gate{path, [&] { fs::resize_file(path, 1'000'000); }};
    CHECK(f.refusal(open_file(path), content.size()) ==
          "model/file.bin was cut off while it was read");
}

TEST_CASE("a whole file must not change while it is read") {
    struct Case {
        const char* name;
        void (*change)(const fs::path&);
    };
    for (const auto& c : {
             Case{"grows", [](const fs::path& path) { append(path, "more"); }},
             Case{"shrinks", [](const fs::path& path) { fs::resize_file(path, 10); }},
             Case{"is overwritten",
                  [](const fs::path& path) { write(path, std::string(2'000'000, 'y')); }},
             Case{"is overwritten, and its time set back",
                  [](const fs::path& path) {
                      const auto before = fs::last_write_time(path);
                      write(path, std::string(2'000'000, 'y'));
                      fs::last_write_time(path, before);
                  }},
         }) {
        CAPTURE(c.name);
        Staged f;
        const auto path = f.file("a", std::string(2'000'000, 'x'));
        const ReadGate gate{path, [&] { c.change(path); }};
        if (!gate) {
            return;
        }
        CHECK(f.refusal(open_file(path)) == "model/file.bin changed while it was read");
    }
}

TEST_CASE("the hashes are those of what was taken, also when somebody writes to it meanwhile") {
    Staged f;
    const auto path = f.file("log", std::string(3'000'000, 'x'));
    const auto overwrite = [&] { write(path, std::string(4'000'000, 'y')); };
    const ReadGate gate{path, overwrite, 3}; // after the start and the first piece
    if (!gate) {
        return;
    }
    const auto taken = f.take(open_file(path), 3'000'000);
    const std::string content = read(f.path_of(taken));
    CHECK(content.starts_with("xxx"));
    CHECK(content.ends_with("yyy"));
    CHECK(taken.hashes == hashes_of(content));
}

TEST_CASE("a content that is too large for a regular file has one hash") {
    Staged f;
    const std::string largest(wharf::store::most_regular_size, 'x');
    const std::string larger = largest + 'x';
    CHECK(f.take(f.file("a", largest)).hashes == hashes_of(largest));
    CHECK(f.take(f.file("b", larger)).hashes == hashes_of(larger));
    CHECK(hashes_of(larger).size() == 64);
}

TEST_CASE("holes stay holes") {
    Staged f;
    const auto path = f.file("sparse", "start");
    fs::resize_file(path, 64 << 20);
    append(path, "end");
    const auto taken = f.take(path);
    CHECK(taken.size == (64 << 20) + 3);
    CHECK(stat_of(f.path_of(taken)).st_blocks * 512 < 1 << 20);
    CHECK(read(f.path_of(taken)) == read(path));
    CHECK(taken.hashes == hashes_of(read(path)));
    fs::resize_file(path, 65 << 20); // a hole at its end
    CHECK(fs::file_size(f.path_of(f.take(path))) == 65 << 20);
}

TEST_CASE("what is to stay free stays free, and what takes no room is taken") {
    const TempDir dir;
    wharf::asio::io_context context;
    wharf::async::BlockingPool pool{1};
    wharf::store::Store store{{.cache_dir = dir / "cache",
                               .state_dir = dir / "state",
                               .min_free = std::uint64_t{1} << 60},
                              pool};
    write(dir / "a", std::string(1'000'000, 'x'));
    write(dir / "hole", "");
    fs::resize_file(dir / "hole", 10 << 20);
    const auto expect_refusal = [&](Awaitable<StagedFile> operation) {
        const auto body = [](Awaitable<StagedFile> given) -> Awaitable<> {
            const StagedFile file = co_await std::move(given);
            if (!file.shares_blocks) { // a clone takes no room
                FAIL("taken");
            }
        };
        try {
            run(body(std::move(operation)), context);
        } catch (const Error& error) {
            CHECK(error.kind() == ErrorKind::no_space);
            CHECK(error.message().starts_with("needs 1.0 MB, "));
            CHECK(files_in(dir / "cache/.locks/.wharf") == 0);
        }
    };
    expect_refusal(store.staged().take(order(open_file(dir / "a"))));
    expect_refusal(store.staged().take_bytes(upload, std::string(1'000'000, 'x')));
    const auto body = [&]() -> Awaitable<> {
        const StagedFile file = co_await store.staged().take(order(open_file(dir / "hole")));
        CHECK(file.size == 10 << 20);
    };
    run(body(), context);
}

TEST_CASE("a verified blob is linked, not read") {
    Staged f;
    const std::string content(2'000'000, 'b');
    const auto blob = entry("a", content, true);
    f.publish(model, blob, content);
    const auto path = f.repo() / "blobs" / blob.etag();
    const auto taken = f.take(path);
    CHECK(taken.hashes == blob.etag());
    CHECK(taken.size == content.size());
    CHECK(taken.sample == content.substr(0, 512));
    CHECK(taken.shares_blocks);
    CHECK(stat_of(f.path_of(taken)).st_ino == stat_of(path).st_ino);
    const ReadGate gate{path, [] {}};
    const auto again = f.take(path);
    CHECK(again.name != taken.name);
    CHECK(gate.reads() <= 1); // the sample
    fs::remove(path);
    CHECK(read(f.path_of(taken)) == content);
    const auto prefix = f.take(open_file(f.path_of(taken)), 100);
    CHECK(prefix.hashes == hashes_of(std::string(100, 'b')));
    CHECK(fs::file_size(f.path_of(prefix)) == 100);
}

TEST_CASE("a verified blob that somebody may write to is known, and taken apart from him") {
    Staged f;
    const auto blob = entry("a", "right");
    write(f.repo() / "blobs" / blob.etag(), "right");
    const auto path = f.repo() / "blobs" / blob.etag();
    f.reopen();
    CHECK(f.take(path).hashes == hashes_of("right")); // nobody has checked it
    REQUIRE(f.verify(model, blob));
    const auto taken = f.take(path);
    CHECK(taken.hashes == hashes_of("right"));
    CHECK(stat_of(f.path_of(taken)).st_ino != stat_of(path).st_ino);
    CHECK(read(f.path_of(taken)) == "right");
    write(path, "wrong");
    CHECK(f.take(path).hashes == hashes_of("wrong"));
}

TEST_CASE("a published file is in the cache at no cost, and gone from staging") {
    Staged f;
    const std::string large(5'000'000, 'L');
    const auto big = entry("big.bin", large, true);
    const auto small = entry("small.txt", "small");
    const auto first = f.take(f.file("big", large));
    const auto second = f.get(f.store().staged().take_bytes(upload, "small"));
    const auto inode = stat_of(f.path_of(first)).st_ino;
    f.run(f.publish_staged(first.name, model, big));
    f.run(f.publish_staged(second.name, model, small));
    const auto there = f.bring_in(model, commit_a, {big, small});
    CHECK(there.missing.empty());
    CHECK(there.unverified.empty());
    const auto blob = f.repo() / "blobs" / big.etag();
    CHECK(stat_of(blob).st_ino == inode);
    CHECK(mode(blob) == 0444);
    CHECK(stat_of(blob).st_uid == ::geteuid());
    CHECK(read(f.repo() / "snapshots" / commit_a / "small.txt") == "small");
    CHECK(f.left_over() == 0);
    f.reopen();
    CHECK(f.held(model, big));
}

TEST_CASE("one content has one file, whoever had it first") {
    Staged f;
    const auto blob = entry("a", "content");
    f.publish(model, blob, "content");
    const auto inode = stat_of(f.repo() / "blobs" / blob.etag()).st_ino;
    for (const auto& repo : {model, other}) { // the repo itself has it; another one has it
        const auto copy = f.take(f.file("a", "content"));
        f.run(f.publish_staged(copy.name, repo, blob));
        CHECK(f.held(repo, blob));
        CHECK(f.left_over() == 0);
    }
    CHECK(stat_of(f.repo() / "blobs" / blob.etag()).st_ino == inode);
    CHECK(stat_of(f.other_repo() / "blobs" / blob.etag()).st_ino == inode);

    fs::remove_all(f.other_repo());
    const auto link = f.take(f.repo() / "blobs" / blob.etag());
    f.run(f.publish_staged(link.name, other, blob));
    CHECK(stat_of(f.other_repo() / "blobs" / blob.etag()).st_ino == inode);
    CHECK(stat_of(f.repo() / "blobs" / blob.etag()).st_ino == inode);
    CHECK(f.left_over() == 0);
}

TEST_CASE("what is gone, or of another size, is not published") {
    Staged f;
    const auto taken = f.take(f.file("a", "content"));
    CHECK_THROWS_AS(f.run(f.publish_staged("none", model, entry("a", "content"))), Error);
    CHECK_THROWS_AS(f.run(f.publish_staged(taken.name, model, entry("a", "contents"))), Error);
    try {
        f.get(f.store().staged().open(upload, "none"));
        FAIL("opened");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::storage);
    }
    const UniqueFd opened = f.get(f.store().staged().open(upload, taken.name));
    std::array<char, 8> buffer{};
    CHECK(::read(opened.value(), buffer.data(), buffer.size()) == 7);
}

TEST_CASE("many files are published together, but for those that are gone") {
    Staged f;
    std::vector<wharf::store::PushedFile> pushed;
    std::vector<wharf::hub::TreeEntry> blobs;
    for (int i = 0; i < 600; ++i) {
        const std::string content = "content " + std::to_string(i);
        blobs.push_back(entry(std::to_string(i), content));
        const auto taken = f.get(f.store().staged().take_bytes(upload, content));
        pushed.push_back({.name = taken.name, .entry = blobs.back()});
    }
    f.publish(model, blobs[300], "content 300"); // the repo has one already
    f.publish(other, blobs[301], "content 301"); // and another one is elsewhere
    auto some = pushed;
    some[599].name = "none";
    CHECK_THROWS_AS(f.run(f.store().staged().publish(upload, model, some)), Error);
    CHECK(f.held(model, blobs[598]));
    f.run(f.store().staged().publish(upload, model, {pushed.back()}));
    for (std::size_t i = 0; i < blobs.size(); ++i) {
        CHECK(f.held(model, blobs[i]));
        CHECK(read(f.repo() / "blobs" / blobs[i].etag()) == "content " + std::to_string(i));
    }
    CHECK(stat_of(f.repo() / "blobs" / blobs[301].etag()).st_ino ==
          stat_of(f.other_repo() / "blobs" / blobs[301].etag()).st_ino);
    CHECK(f.left_over() == 0);
}

TEST_CASE("flushing takes any number of files, and none") {
    Staged f;
    f.run(f.store().staged().flush(upload));
    for (int i = 0; i < 200; ++i) {
        f.get(f.store().staged().take_bytes(upload, std::to_string(i)));
    }
    f.run(f.store().staged().flush(upload));
    CHECK(f.left_over() == 200);
}

TEST_CASE("an upload is removed whole, also after a restart, and others stay") {
    Staged f;
    for (std::uint64_t id = 1; id <= 3; ++id) {
        for (int i = 0; i < 600; ++i) {
            f.get(f.store().staged().take_bytes(id, "x"));
        }
    }
    f.run(f.store().staged().discard(2));
    f.run(f.store().staged().discard(99));
    CHECK_FALSE(fs::exists(f.root() / "2"));
    write(f.staging() / "cafe.tmp", "what a crash left");
    f.reopen();
    CHECK(f.left_over() == 1200);
    f.run(f.store().staged().keep_only({3, 4}));
    CHECK(f.left_over() == 600);
    CHECK(fs::exists(f.root() / "3"));
    const auto more = f.get(f.store().staged().take_bytes(3, "y")); // no name is given twice
    CHECK(f.left_over() == 601);
    CHECK(read(f.root() / "3" / more.name) == "y");
    f.run(f.store().staged().keep_only({}));
    CHECK(fs::is_empty(f.root()));
}

TEST_CASE("who gives up leaves no file, and a file that hangs stops nobody else") {
    Staged f;
    std::promise<void> reached;
    std::promise<void> release;
    const auto path = f.file("hanging", std::string(2'000'000, 'x'));
    const auto hang = [&] {
        reached.set_value();
        release.get_future().wait();
    };
    const ReadGate gate{path, hang, 3}; // two read the start, then one of them copies
    if (!gate) {
        return;
    }
    const auto take_and_drop = [](Awaitable<StagedFile> operation) -> Awaitable<> {
        co_await std::move(operation);
    };
    const auto body = [&](Staged& g, wharf::store::StagedFiles& staged) -> Awaitable<> {
        wharf::async::TaskGroup group{co_await wharf::asio::this_coro::executor};
        for (int i = 0; i < 5; ++i) {
            group.spawn("hanging", take_and_drop(staged.take(order(open_file(path)))));
        }
        const auto other_file = g.file("other", "content");
        const StagedFile taken = co_await staged.take(order(open_file(other_file), {}, 1001));
        CHECK(read(g.path_of(taken)) == "content");
        reached.get_future().wait();
        CHECK(g.left_over() > 1);
        group.cancel();
        co_await group.join();
        co_await staged.discard(upload);
    };
    f.run(body(f, f.store().staged()));
    release.set_value();
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (f.left_over() > 0 && std::chrono::steady_clock::now() < limit) {
        f.run(f.store().staged().flush(99)); // the loop runs meanwhile
    }
    CHECK(f.left_over() == 0);
    CHECK(f.take(open_file(path)).size == 2'000'000); // the account has its threads back
}
