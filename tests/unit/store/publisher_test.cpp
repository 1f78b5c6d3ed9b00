#include "daemon/async/task_group.hpp"
#include "tests/unit/store/fixture.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

namespace fs = std::filesystem;
using namespace wharf;
using namespace wharf::test;

namespace {

std::vector<std::byte> bytes(std::string_view text) {
    const auto span = std::as_bytes(std::span{text});
    return {span.begin(), span.end()};
}

/// Publishes all at once, every second one from a file. How many failed.
class Crowd {
  public:
    explicit Crowd(StoreFixture& f) : f_{f} {}

    void add(hub::RepoId repo, hub::TreeEntry entry, std::string content) {
        members_.push_back({std::move(repo), std::move(entry), std::move(content)});
    }
    std::size_t run() {
        f_.run(run_all());
        return failed_;
    }

  private:
    struct Member {
        hub::RepoId repo;
        hub::TreeEntry entry;
        std::string content;
    };

    Awaitable<> run_all() {
        async::TaskGroup group{co_await asio::this_coro::executor};
        for (std::size_t i = 0; i < members_.size(); ++i) {
            group.spawn("publish", publish(members_[i], i % 2 == 0));
        }
        co_await group.join();
    }
    Awaitable<> publish(const Member& member, bool from_memory) {
        try {
            if (from_memory) {
                co_await f_.store().publish_bytes(member.entry.etag(), bytes(member.content),
                                                  member.repo);
            } else {
                auto file = co_await f_.store().open_partial(member.entry.etag(), member.entry.size,
                                                             piece_size);
                file->write_at(0, std::as_bytes(std::span{member.content}));
                co_await f_.store().publish(std::move(file), member.repo);
            }
        } catch (const Error&) {
            ++failed_;
        }
    }

    StoreFixture& f_;
    std::vector<Member> members_;
    std::size_t failed_ = 0;
};

} // namespace

TEST_CASE("many who publish at once all find their blob in place, whole and known as right") {
    StoreFixture f;
    Crowd crowd{f};
    std::vector<hub::TreeEntry> entries;
    for (int i = 0; i < 200; ++i) {
        const std::string content(static_cast<std::size_t>(i * 150),
                                  static_cast<char>('a' + i % 26));
        entries.push_back(entry(fmt::format("{}", i), content, i % 3 == 0));
        crowd.add(i % 5 == 0 ? other : model, entries.back(), content);
    }
    CHECK(crowd.run() == 0);
    for (int i = 0; i < 200; ++i) {
        const auto& file = entries[static_cast<std::size_t>(i)];
        const auto blob = (i % 5 == 0 ? f.other_repo() : f.repo()) / "blobs" / file.etag();
        CHECK(hash_of(read(blob), !file.lfs_sha256.empty()) == file.etag());
        CHECK(mode(blob) == 0444);
        CHECK(f.held(model, file)); // so somewhere verified
    }
    CHECK(fs::is_empty(f.staging()));
    f.reopen();
    CHECK(f.held(model, entries.back()));
}

TEST_CASE("one that cannot be published does not keep the others of its batch from it") {
    StoreFixture f;
    f.store();
    const auto blocked = entry("blocked", "blocked");
    const auto blocked_too = entry("blocked too", "blocked too");
    fs::create_directories(f.repo() / "blobs" / blocked.etag());
    fs::create_directories(f.repo() / "blobs" / blocked_too.etag());
    Crowd crowd{f};
    std::vector<hub::TreeEntry> good;
    for (int i = 0; i < 20; ++i) {
        const auto content = fmt::format("good {}", i);
        good.push_back(entry(content, content));
        crowd.add(model, good.back(), content);
        if (i == 7 || i == 8) {
            crowd.add(model, i == 7 ? blocked : blocked_too, i == 7 ? "blocked" : "blocked too");
        }
    }
    CHECK(crowd.run() == 2);
    for (const auto& file : good) {
        CHECK(f.held(model, file));
    }
    CHECK_FALSE(f.held(model, blocked));
    CHECK(fs::is_empty(f.staging()));
}

TEST_CASE("a repo that cannot be made fails its own only") {
    StoreFixture f;
    f.store();
    write(f.other_repo(), "a file in the way");
    Crowd crowd{f};
    const auto mine = entry("a", "mine");
    const auto theirs = entry("b", "theirs");
    for (int i = 0; i < 4; ++i) {
        const auto content = fmt::format("{}", i);
        crowd.add(other, entry("c", content), content);
    }
    crowd.add(model, mine, "mine");
    crowd.add(other, theirs, "theirs");
    CHECK(crowd.run() == 5);
    CHECK(f.held(model, mine));
    CHECK_FALSE(f.held(model, theirs));
    CHECK(fs::is_empty(f.staging()));
}

TEST_CASE("bytes in memory become a blob, an empty one too") {
    StoreFixture f;
    f.run(f.store().publish_bytes(entry("a", "").etag(), {}, model));
    f.run(f.store().publish_bytes(entry("b", "text").etag(), bytes("text"), model));
    f.run(f.store().publish_bytes(entry("b", "text").etag(), bytes("text"), model)); // again
    CHECK(f.held(model, entry("a", "")));
    CHECK(read(f.repo() / "blobs" / entry("b", "text").etag()) == "text");
    CHECK_THROWS_AS(f.run(f.store().publish_bytes("../x", bytes("x"), model)), Error);
    CHECK(fs::is_empty(f.staging()));
}

TEST_CASE("a file of several pieces is published without its log") {
    StoreFixture f;
    const std::string content(5 * piece_size + 1, 'x');
    const auto file = entry("a", content, true);
    f.publish(model, file, content);
    CHECK(f.held(model, file));
    CHECK(fs::is_empty(f.staging()));
}
