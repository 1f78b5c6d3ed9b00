#include "daemon/store/tree_cache.hpp"
#include "daemon/store/tree_json.hpp"
#include "tests/unit/store/fixture.hpp"

#include <boost/json/parse.hpp>

using wharf::ErrorKind;
using wharf::hub::Tree;
using wharf::hub::TreeEntry;
using wharf::hub::TreePtr;
using wharf::store::read_tree;
using wharf::store::TreeCache;
using wharf::store::write_tree;

namespace {

const std::string sha1(40, '1');
const std::string sha256(64, '2');
const std::string xet(64, '3');

TreePtr sample() {
    auto tree = std::make_shared<Tree>();
    tree->files = {{"a \"quoted\" \\ name", 5, sha1, "", ""},
                   {"dir/model.safetensors", 1ULL << 40, sha1, sha256, xet},
                   {"gr\xc3\xbc\xc3\x9f"
                    "e/\xf0\x9f\x8c\x8d.txt",
                    0, sha1, "", ""}};
    return tree;
}

TreePtr tree_of(std::size_t files) {
    auto tree = std::make_shared<Tree>();
    tree->files.resize(files);
    return tree;
}

std::string one_file(std::string_view fields) {
    return R"({"format_version": 1, "files": {"a": {)" + std::string{fields} + "}}}";
}

} // namespace

TEST_CASE("a file list is written in the official form") {
    CHECK(write_tree(*sample()) == "{\n"
                                   " \"format_version\": 1,\n"
                                   " \"files\": {\n"
                                   "  \"a \\\"quoted\\\" \\\\ name\": {\n"
                                   "   \"size\": 5,\n"
                                   "   \"blob_id\": \"" +
                                       sha1 +
                                       "\"\n"
                                       "  },\n"
                                       "  \"dir/model.safetensors\": {\n"
                                       "   \"size\": 1099511627776,\n"
                                       "   \"blob_id\": \"" +
                                       sha1 +
                                       "\",\n"
                                       "   \"lfs_sha256\": \"" +
                                       sha256 +
                                       "\",\n"
                                       "   \"lfs_size\": 1099511627776,\n"
                                       "   \"xet_hash\": \"" +
                                       xet +
                                       "\"\n"
                                       "  },\n"
                                       "  \"gr\xc3\xbc\xc3\x9f"
                                       "e/\xf0\x9f\x8c\x8d.txt\": {\n"
                                       "   \"size\": 0,\n"
                                       "   \"blob_id\": \"" +
                                       sha1 +
                                       "\"\n"
                                       "  }\n"
                                       " }\n"
                                       "}");
    CHECK(write_tree(Tree{}) == "{\n \"format_version\": 1,\n \"files\": {}\n}");
}

TEST_CASE("what was written is read back, and is JSON for another parser too") {
    const auto back = read_tree(write_tree(*sample()));
    REQUIRE(back.has_value());
    REQUIRE((*back)->files.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK((*back)->files[i].path == sample()->files[i].path);
        CHECK((*back)->files[i].size == sample()->files[i].size);
        CHECK((*back)->files[i].blob_id == sample()->files[i].blob_id);
        CHECK((*back)->files[i].lfs_sha256 == sample()->files[i].lfs_sha256);
        CHECK((*back)->files[i].xet_hash == sample()->files[i].xet_hash);
    }
    CHECK(boost::json::parse(write_tree(*sample())).at("files").as_object().size() == 3);
    const auto empty = read_tree(write_tree(Tree{}));
    REQUIRE(empty.has_value());
    CHECK((*empty)->files.empty());
}

TEST_CASE("the official client's escapes, order and nulls are understood") {
    const auto tree =
        read_tree(R"({"files": {"z": {"blob_id": ")" + sha1 +
                  R"(", "size": 1, "lfs_sha256": null, "xet_hash": null},)" +
                  R"( "\u00fc\ud83c\udf0d": {"size": 2, "new_field": [1], "blob_id": ")" + sha1 +
                  R"("}}, "format_version": 1})");
    REQUIRE(tree.has_value());
    CHECK((*tree)->find("z")->size == 1);
    CHECK((*tree)->find("z")->lfs_sha256.empty());
    CHECK((*tree)->find("\xc3\xbc\xf0\x9f\x8c\x8d")->size == 2);
}

TEST_CASE("what is not to be trusted is refused as a whole") {
    const std::string good = R"("size": 1, "blob_id": ")" + sha1 + R"(")";
    REQUIRE(read_tree(one_file(good)).has_value());
    const std::string whole = write_tree(*sample());
    const std::vector<std::pair<std::string, std::string>> cases{
        {"empty", ""},
        {"no object", "[]"},
        {"cut short", whole.substr(0, whole.size() - 1)},
        {"cut in the middle", whole.substr(0, whole.size() / 2)},
        {"no version", R"({"files": {}})"},
        {"newer version", R"({"format_version": 2, "files": {}})"},
        {"version as text", R"({"format_version": "1", "files": {}})"},
        {"no files", R"({"format_version": 1})"},
        {"files as list", R"({"format_version": 1, "files": []})"},
        {"no size", one_file(R"("blob_id": ")" + sha1 + R"(")")},
        {"negative size", one_file(R"("size": -1, "blob_id": ")" + sha1 + R"(")")},
        {"no blob id", one_file(R"("size": 1)")},
        {"short blob id", one_file(R"("size": 1, "blob_id": "12")")},
        {"large without size", one_file(good + R"(, "lfs_sha256": ")" + sha256 + R"(")")},
        {"sizes differ", one_file(good + R"(, "lfs_size": 2, "lfs_sha256": ")" + sha256 + R"(")")},
        {"masked xet hash", one_file(good + R"(, "xet_hash": ")" + std::string(64, '*') + R"(")")},
        {"hash as number", one_file(good + R"(, "lfs_sha256": 5)")},
        {"unsafe path", R"({"format_version": 1, "files": {"../x": {)" + good + "}}}"},
        {"listed twice",
         R"({"format_version": 1, "files": {"a": {)" + good + R"(}, "a": {)" + good + "}}}"},
    };
    for (const auto& [name, json] : cases) {
        CAPTURE(name);
        const auto tree = read_tree(json);
        REQUIRE(tree.has_error());
        CHECK(tree.error().kind() == ErrorKind::protocol);
    }
}

TEST_CASE("the lists used last are remembered, up to a number of files") {
    TreeCache cache{10};
    CHECK(cache.find("a") == nullptr);
    cache.insert("a", tree_of(4));
    cache.insert("b", tree_of(4));
    CHECK(cache.find("a")); // now used after b
    cache.insert("c", tree_of(4));
    CHECK(cache.find("a"));
    CHECK(cache.find("b") == nullptr);
    CHECK(cache.find("c"));
    cache.insert("a", tree_of(5)); // takes the place of the old one
    CHECK(cache.find("a")->files.size() == 5);
    CHECK(cache.find("c"));
    cache.insert("huge", tree_of(100)); // alone is better than read again each time
    CHECK(cache.find("huge"));
    CHECK(cache.find("a") == nullptr);
    CHECK(cache.find("c") == nullptr);
    cache.insert("small", tree_of(1));
    CHECK(cache.find("huge") == nullptr);
    CHECK(cache.find("small"));
}
