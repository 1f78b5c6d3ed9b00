#include "daemon/hub/types.hpp"

#include <doctest/doctest.h>

using namespace wharf::hub;
using wharf::ErrorKind;

namespace {

const std::string git_id(40, '1');
const std::string sha256(64, 'a');

TreeEntry entry(std::string path, std::uint64_t size = 1) {
    return {std::move(path), size, git_id, {}, {}};
}

std::string message_of(std::vector<TreeEntry> files) {
    const auto tree = make_tree(std::move(files));
    REQUIRE(tree.has_error());
    CHECK(tree.error().kind() == ErrorKind::protocol);
    return tree.error().message();
}

struct PathCase {
    std::string path;
    std::string_view rule;
};

} // namespace

TEST_CASE("usual paths may be created below a snapshot") {
    for (const std::string& path :
         {std::string{"config.json"}, std::string{".gitattributes"}, std::string{"a/b/c.bin"},
          std::string{"with space"}, std::string{"d\xc3\xa9j\xc3\xa0/vu"}, std::string{"..a"},
          std::string{"a..b/c.."}, std::string{"..."}, std::string{"a\\b"},
          std::string{".github/x"}, std::string{"x.git/y"}, std::string{"gitx/.gitignore"},
          std::string{"C:x"}, std::string(255, 'x'), std::string{"~"}, std::string{"-rf"},
          std::string(255, 'x') + "/" + std::string(255, 'y'),
          std::string{"\xc3\x83\xc2\x89"}}) { // a twice encoded letter: seen in real datasets
        CAPTURE(path);
        CHECK(check_path(path).has_value());
    }
}

TEST_CASE("paths that leave the snapshot or cannot be created are refused by name and rule") {
    std::string long_path = "a";
    while (long_path.size() <= 1024) {
        long_path += "/a";
    }
    for (const auto& [path, rule] :
         std::vector<PathCase>{{"", "empty"},
                               {"/etc/passwd", "absolute"},
                               {"//x", "absolute"},
                               {"..", "'..'"},
                               {"../x", "'..'"},
                               {"a/../../x", "'..'"},
                               {"a/..", "'..'"},
                               {".", "'.'"},
                               {"./a", "'.'"},
                               {"a/./b", "'.'"},
                               {"a//b", "component of the path is empty"},
                               {"a/", "component of the path is empty"},
                               {"..\\x", "'..'"},
                               {"a\\..\\x", "'..'"},
                               {"a/..\\x", "'..'"},
                               {"a\\.", "'.'"},
                               {"\\a", "component of the path is empty"},
                               {"a\\", "component of the path is empty"},
                               {".git", "'.git'"},
                               {".git/config", "'.git'"},
                               {"a/.GIT/hooks", "'.git'"},
                               {"a\\.Git\\x", "'.git'"},
                               {std::string{"a\0b", 3}, "control character"},
                               {"a\nb", "control character"},
                               {"a\x1b[2J", "control character"},
                               {"a\x7f", "control character"},
                               {"\xff", "not UTF-8"},
                               {"a/\xc3", "not UTF-8"},
                               {"\xc0\xae\xc0\xae/x", "not UTF-8"},
                               {"\xed\xa0\x80", "not UTF-8"},
                               {std::string(256, 'x'), "255"},
                               {"a/" + std::string(256, 'x') + "/b", "255"},
                               {std::string(128, 'x') + "\\" + std::string(127, 'x'), "255"},
                               {long_path, "1024"}}) {
        CAPTURE(path);
        const auto checked = check_path(path);
        REQUIRE(checked.has_error());
        CHECK(checked.error().kind() == ErrorKind::protocol);
        CHECK(checked.error().message().find(rule) != std::string::npos);
    }
    CHECK(check_path("a/../b").error().message().find("'a/../b'") != std::string::npos);
}

TEST_CASE("a tree is sorted and found by path") {
    TreeEntry large = entry("m.bin", 7);
    large.lfs_sha256 = sha256;
    const auto tree = make_tree({entry("z"), large, entry("a/b"), entry("a-b"), entry("a.b")});
    REQUIRE(tree.has_value());
    std::vector<std::string> paths;
    for (const TreeEntry& file : (*tree)->files) {
        paths.push_back(file.path);
    }
    CHECK(paths == std::vector<std::string>{"a-b", "a.b", "a/b", "m.bin", "z"});
    REQUIRE((*tree)->find("m.bin") != nullptr);
    CHECK((*tree)->find("m.bin")->etag() == sha256);
    CHECK((*tree)->find("z")->etag() == git_id);
    CHECK((*tree)->find("a") == nullptr);
    CHECK((*tree)->find("zz") == nullptr);
    CHECK((*tree)->find("") == nullptr);
}

TEST_CASE("a commit without files is a tree") {
    const auto tree = make_tree({});
    REQUIRE(tree.has_value());
    CHECK((*tree)->files.empty());
}

TEST_CASE("one bad entry spoils the listing") {
    CHECK(message_of({entry("a"), entry("../b")}).find("'../b'") != std::string::npos);
    CHECK(message_of({entry("a"), entry("b"), entry("a")}).find("'a': it is listed twice") !=
          std::string::npos);
}

TEST_CASE("a path cannot be file and folder") {
    CHECK(message_of({entry("a"), entry("a/b")}).find("'a': it is both") != std::string::npos);
    // What sorts between a file and its would-be folder must not hide the clash.
    CHECK(message_of({entry("a/b"), entry("a-b"), entry("a"), entry("a.b")}).find("'a': it is") !=
          std::string::npos);
    CHECK(message_of({entry("x/a/b"), entry("x/a"), entry("x/a!")}).find("'x/a'") !=
          std::string::npos);
    CHECK(message_of({entry("x/y"), entry("x/y/z/w"), entry("x/y/z/v")}).find("'x/y'") !=
          std::string::npos);
    CHECK(make_tree({entry("a/b"), entry("a/c"), entry("ab"), entry("a/d/e"), entry("a/d/f")})
              .has_value());
}

TEST_CASE("names of blobs must be hashes") {
    for (const std::string& bad : {std::string{}, std::string(39, '1'), std::string(64, '1'),
                                   std::string(40, 'A'), "../" + std::string(37, '1')}) {
        TreeEntry broken = entry("a");
        broken.blob_id = bad;
        CHECK(message_of({broken}).find("blob id") != std::string::npos);
    }
    for (const std::string& bad :
         {std::string(40, 'a'), std::string(63, 'a'), std::string(64, 'g')}) {
        TreeEntry broken = entry("a");
        broken.lfs_sha256 = bad;
        CHECK(message_of({broken}).find("sha256") != std::string::npos);
    }
}

TEST_CASE("sizes are believable, alone and together") {
    constexpr std::uint64_t largest = 1ULL << 50;
    CHECK(make_tree({entry("a", 0), entry("b", largest)}).has_value());
    CHECK(message_of({entry("a", largest + 1)}).find("not believable") != std::string::npos);
    std::vector<TreeEntry> many;
    for (int i = 0; i < 8192; ++i) {
        many.push_back(entry("f" + std::to_string(i), largest));
    }
    CHECK(message_of(many).find("add up") != std::string::npos);
    many.pop_back();
    CHECK(make_tree(many).has_value());
}
