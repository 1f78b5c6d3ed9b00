#include "tests/unit/store/fixture.hpp"

#include <fmt/format.h>

#include <map>

namespace fs = std::filesystem;
using namespace wharf::test;
using wharf::Error;
using wharf::ErrorKind;

namespace {

/// Everything below a folder: type, mode and content or target, by path.
std::map<std::string, std::string> picture(const fs::path& root) {
    std::map<std::string, std::string> found;
    for (const auto& item : fs::recursive_directory_iterator{root}) {
        const auto name = item.path().lexically_relative(root).native();
        if (item.is_symlink()) {
            found[name] = "-> " + fs::read_symlink(item.path()).native();
        } else if (item.is_directory()) {
            found[name] = fmt::format("{:o}/", mode(item.path()));
        } else {
            found[name] = fmt::format("{:o} {}", mode(item.path()), read(item.path()));
        }
    }
    return found;
}

} // namespace

TEST_CASE("what is on disk is exactly the official layout") {
    StoreFixture f;
    const auto config = entry("config.json", "{}");
    const auto weights = entry("sub/deep/model.bin", "weights", true);
    const auto again = entry("sub/same.bin", "weights", true);
    auto tree = std::make_shared<wharf::hub::Tree>();
    tree->files = {config, weights, again};
    f.run(f.store().save_tree(model, commit_a, tree));
    f.publish(model, config, "{}");
    f.publish(model, weights, "weights");
    const auto left = f.bring_in(model, commit_a, tree->files);
    CHECK(left.missing.empty());
    CHECK(left.unverified.empty());
    f.finish(model, commit_a, "main");
    f.finish(model, commit_a, "refs/pr/3");
    f.finish(model, commit_a, commit_a);

    auto found = picture(f.cache());
    const std::string repo = "models--org--name";
    const std::string tree_name = repo + "/trees/" + commit_a + ".json";
    CHECK(found[tree_name].starts_with("644 {\n \"format_version\": 1,\n"));
    found.erase(tree_name);
    CHECK(found["CACHEDIR.TAG"].starts_with("644 Signature: 8a477f597d28d172789f06886806bc55\n# "));
    found.erase("CACHEDIR.TAG");
    const std::map<std::string, std::string> expected{
        {".locks", "711/"},
        {".locks/.wharf", "700/"},
        {repo, "700/"},
        {repo + "/blobs", "755/"},
        {repo + "/blobs/" + config.etag(), "444 {}"},
        {repo + "/blobs/" + weights.etag(), "444 weights"},
        {repo + "/refs", "755/"},
        {repo + "/refs/main", "644 " + commit_a},
        {repo + "/refs/refs", "755/"},
        {repo + "/refs/refs/pr", "755/"},
        {repo + "/refs/refs/pr/3", "644 " + commit_a},
        {repo + "/snapshots", "755/"},
        {repo + "/snapshots/" + commit_a, "755/"},
        {repo + "/snapshots/" + commit_a + "/config.json", "-> ../../blobs/" + config.etag()},
        {repo + "/snapshots/" + commit_a + "/sub", "755/"},
        {repo + "/snapshots/" + commit_a + "/sub/deep", "755/"},
        {repo + "/snapshots/" + commit_a + "/sub/deep/model.bin",
         "-> ../../../../blobs/" + weights.etag()},
        {repo + "/snapshots/" + commit_a + "/sub/same.bin", "-> ../../../blobs/" + again.etag()},
        {repo + "/trees", "755/"},
    };
    CHECK(found == expected);
    const auto snapshot = f.store().snapshot_path(model, commit_a);
    CHECK(snapshot == f.repo() / "snapshots" / commit_a);
    CHECK(read(snapshot / "sub/deep/model.bin") == "weights");
    CHECK(weights.etag().size() == 64);
    CHECK(config.etag().size() == 40);
}

TEST_CASE("refs and file lists are known again after a restart") {
    StoreFixture f;
    auto tree = std::make_shared<wharf::hub::Tree>();
    tree->files = {entry("a", "x"), entry("b", "y", true)};
    CHECK_FALSE(f.get(f.store().known_commit(model, "main")));
    CHECK(f.get(f.store().tree(model, commit_a)) == nullptr);
    f.run(f.store().save_tree(model, commit_a, tree));
    CHECK(f.get(f.store().tree(model, commit_a)) == tree);
    f.finish(model, commit_a, "main");
    f.finish(model, commit_b, "dev/x");
    f.reopen();
    CHECK(f.get(f.store().known_commit(model, "main")) == commit_a);
    CHECK(f.get(f.store().known_commit(model, "dev/x")) == commit_b);
    CHECK_FALSE(f.get(f.store().known_commit(model, "dev")));
    CHECK_FALSE(f.get(f.store().known_commit(other, "main")));
    const auto back = f.get(f.store().tree(model, commit_a));
    REQUIRE(back);
    CHECK(back->files.size() == 2);
    CHECK(f.get(f.store().tree(model, commit_a)) == back);
    CHECK(f.get(f.store().tree(model, commit_b)) == nullptr);
    f.finish(model, commit_b, "main");
    CHECK(f.get(f.store().known_commit(model, "main")) == commit_b);
    CHECK(fs::is_empty(f.staging()));
}

TEST_CASE("refs and file lists of others are read leniently, and nonsense is none") {
    StoreFixture f;
    f.store();
    write(f.repo() / "refs/newline", commit_a + "\n");
    write(f.repo() / "refs/short", "abc");
    write(f.repo() / "refs/long", commit_a + "a");
    write(f.repo() / "refs/upper", std::string(40, 'A'));
    write(f.repo() / ("trees/" + commit_a + ".json"), "{\"format_version\": 1, \"fi");
    CHECK(f.get(f.store().known_commit(model, "newline")) == commit_a);
    CHECK_FALSE(f.get(f.store().known_commit(model, "short")));
    CHECK_FALSE(f.get(f.store().known_commit(model, "long")));
    CHECK_FALSE(f.get(f.store().known_commit(model, "upper")));
    CHECK(f.get(f.store().tree(model, commit_a)) == nullptr);
    CHECK_THROWS_AS(f.get(f.store().known_commit(model, "../blobs/x")), Error);
    CHECK_THROWS_AS(f.get(f.store().tree(model, "main")), Error);
}

TEST_CASE("a ref that clashes with another is left out, the snapshot is there") {
    StoreFixture f;
    f.publish(model, entry("a", "x"), "x");
    f.finish(model, commit_a, "dev");
    f.bring_in(model, commit_b, {entry("a", "x")});
    f.finish(model, commit_b, "dev/x");
    CHECK(read(f.repo() / "refs/dev") == commit_a);
    CHECK(read(f.store().snapshot_path(model, commit_b) / "a") == "x");
    f.finish(model, commit_b, "pr/1");
    f.finish(model, commit_b, "pr");
    CHECK(fs::is_directory(f.repo() / "refs/pr"));
    CHECK(fs::is_empty(f.staging()));
}

TEST_CASE("an empty commit has a snapshot for its ref") {
    StoreFixture f;
    f.finish(model, commit_a, "main");
    CHECK(fs::is_directory(f.store().snapshot_path(model, commit_a)));
    CHECK(read(f.repo() / "refs/main") == commit_a);
}

TEST_CASE("only what is missing is reported, in order") {
    StoreFixture f;
    const auto a = entry("a", "1");
    const auto b = entry("b", "2", true);
    const auto c = entry("c", "3");
    f.publish(model, b, "2");
    const auto left = f.bring_in(model, commit_a, {a, b, c});
    REQUIRE(left.missing.size() == 2);
    CHECK(left.missing[0].path == "a");
    CHECK(left.missing[1].path == "c");
    CHECK(left.unverified.empty());
    const auto snapshot = f.store().snapshot_path(model, commit_a);
    CHECK(fs::is_symlink(snapshot / "b"));
    CHECK_FALSE(fs::is_symlink(snapshot / "a"));
    CHECK(f.get(f.store().held(model, commit_a, {a, b, c})) ==
          std::vector<bool>{false, true, false});
    // Asking for nothing, or only asking, leaves no trace.
    f.bring_in(other, commit_a, {a});
    CHECK(f.held(other, b));
    CHECK_FALSE(fs::exists(f.other_repo()));
}

TEST_CASE("a blob of one repo serves another by hard link") {
    StoreFixture f;
    const auto file = entry("x/a.bin", "shared", true);
    f.publish(model, file, "shared");
    f.reopen();
    CHECK(f.held(other, file));
    const auto left = f.bring_in(other, commit_b, {file});
    CHECK(left.missing.empty());
    CHECK(left.unverified.empty());
    f.finish(other, commit_b, "main");
    const auto copy = f.other_repo() / "blobs" / file.etag();
    CHECK(stat_of(copy).st_ino == stat_of(f.repo() / "blobs" / file.etag()).st_ino);
    CHECK(stat_of(copy).st_nlink == 2);
    CHECK(read(f.store().snapshot_path(other, commit_b) / "x/a.bin") == "shared");
    // Each stays when the other's repo is removed.
    fs::remove_all(f.repo());
    CHECK(f.held(other, file));
    CHECK(f.held(model, file));
    CHECK(f.bring_in(model, commit_a, {file}).missing.empty());
    CHECK(fs::is_empty(f.staging()));
}

TEST_CASE("pointers that are wrong, or files, are replaced; right ones are left alone") {
    StoreFixture f;
    const auto file = entry("d/a", "x");
    f.publish(model, file, "x");
    f.bring_in(model, commit_a, {file});
    const auto pointer = f.store().snapshot_path(model, commit_a) / "d/a";
    const auto before = stat_of(pointer);
    f.bring_in(model, commit_a, {file});
    CHECK(stat_of(pointer).st_ino == before.st_ino);
    fs::remove(pointer);
    fs::create_symlink("../../../blobs/nowhere", pointer);
    f.bring_in(model, commit_a, {file});
    CHECK(read(pointer) == "x");
    fs::remove(pointer);
    write(pointer, "a file, as without symbolic links");
    f.bring_in(model, commit_a, {file});
    CHECK(fs::read_symlink(pointer) == "../../../blobs/" + file.etag());
    fs::remove(pointer);
    fs::create_directory(pointer);
    CHECK_THROWS_AS(f.bring_in(model, commit_a, {file}), Error);
    CHECK(fs::is_empty(f.staging()));
}

TEST_CASE("a file without room is refused with numbers before anything is written") {
    StoreFixture f;
    try {
        f.get(f.store().open_partial(std::string(64, 'a'), std::uint64_t{1} << 60, piece_size));
        FAIL("created");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::no_space);
        CHECK(error.message().starts_with("needs 1152.9 PB, "));
        CHECK(error.message().find(" free in ") != std::string::npos);
    }
    CHECK(fs::is_empty(f.staging()));
    CHECK_THROWS_AS(f.get(f.store().open_partial("../x", 1, piece_size)), Error);
}

TEST_CASE("unfinished files of an earlier run are removed at start") {
    StoreFixture f;
    f.store();
    f.close();
    write(f.staging() / (std::string(64, 'a') + ".00000001.tmp"), "half");
    f.store();
    CHECK(fs::is_empty(f.staging()));
}

TEST_CASE("an existing CACHEDIR.TAG is left alone") {
    StoreFixture f;
    write(f.cache() / "CACHEDIR.TAG", "theirs");
    f.store();
    CHECK(read(f.cache() / "CACHEDIR.TAG") == "theirs");
}
