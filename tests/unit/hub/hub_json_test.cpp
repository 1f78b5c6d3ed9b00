#include "daemon/hub/hub_json.hpp"
#include "support.hpp"

#include <doctest/doctest.h>

using namespace wharf::hub;
using namespace wharf::hub::test;
using wharf::ErrorKind;
using wharf::Result;

namespace {

const std::string oid = "1111111111111111111111111111111111111111";

Result<void> read_page(std::string_view body, std::vector<TreeEntry>& files) {
    return append_tree_page(body, files, 1000);
}

/// The Error that a page gives, which must be a protocol Error.
std::string page_error(std::string_view body) {
    std::vector<TreeEntry> files;
    const auto read = read_page(body, files);
    REQUIRE(read.has_error());
    CHECK(read.error().kind() == ErrorKind::protocol);
    return read.error().message();
}

/// A page of one file entry with this text between its braces.
std::string page_of(const std::string& fields) {
    return "[{" + fields + "}]";
}

/// A good entry whose `key` has another value; an empty value leaves the key out.
std::string page_with(const std::string& key, const std::string& value) {
    std::string fields;
    for (const auto& [name, good] :
         Fields{{"type", "\"file\""}, {"path", "\"a\""}, {"oid", '"' + oid + '"'}, {"size", "5"}}) {
        const std::string& text = name == key ? value : good;
        if (!text.empty()) {
            fields += (fields.empty() ? "\"" : ",\"") + name + "\":" + text;
        }
    }
    if (key == "lfs" || key == "xetHash") {
        fields += ",\"" + key + "\":" + value;
    }
    return page_of(fields);
}

TreeEntry only_entry(std::string_view body) {
    std::vector<TreeEntry> files;
    read_page(body, files).value();
    REQUIRE(files.size() == 1);
    return files.front();
}

std::string lfs(const std::string& sha256, const std::string& size) {
    return "{\"oid\":\"" + sha256 + "\",\"size\":" + size + ",\"pointerSize\":135}";
}

} // namespace

TEST_CASE("a repo's description gives the commit") {
    CHECK(commit_from_json(vector_text("model_info.json")).value() ==
          "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00");
}

TEST_CASE("pages of a listing give files and skip folders") {
    std::vector<TreeEntry> files;
    REQUIRE(read_page(vector_text("tree_page_1.json"), files).has_value());
    REQUIRE(read_page(vector_text("tree_page_2.json"), files).has_value());
    REQUIRE(files.size() == 5);
    CHECK(files[0].path == ".gitattributes");
    CHECK(files[0].size == 1519);
    CHECK(files[0].etag() == std::string(40, '2'));
    CHECK(files[2].path == "model-00001-of-00002.safetensors");
    CHECK(files[2].blob_id == std::string(40, '4'));
    CHECK(files[2].etag() == std::string(64, 'a'));
    CHECK(files[2].size == 4976698672);
    CHECK(files[2].xet_hash == std::string(64, 'b'));
    CHECK(files[3].xet_hash.empty()); // masked
    CHECK(files[4].path == "onnx/d\xc3\xa9j\xc3\xa0 vu.txt");
    CHECK(files[4].lfs_sha256.empty());
    CHECK(files[4].size == 0);
}

TEST_CASE("an empty listing is one") {
    std::vector<TreeEntry> files;
    CHECK(read_page("[]", files).has_value());
    CHECK(read_page(" [ ] \n", files).has_value());
    CHECK(files.empty());
}

TEST_CASE("every beginning of a good page is an error") {
    for (const char* name : {"tree_page_1.json", "tree_page_2.json"}) {
        const std::string page = vector_text(name);
        const std::size_t end = page.rfind(']');
        for (std::size_t length = 0; length <= end; ++length) {
            // A buffer of exactly this size: the sanitizer sees a read behind its end.
            const std::vector<char> part(page.begin(), page.begin() + static_cast<long>(length));
            std::vector<TreeEntry> files;
            const auto read = read_page({part.data(), part.size()}, files);
            REQUIRE(read.has_error());
            REQUIRE(read.error().kind() == ErrorKind::protocol);
        }
    }
    const std::string info = vector_text("model_info.json");
    for (std::size_t length = 0; length <= info.rfind('}'); ++length) {
        REQUIRE(commit_from_json(info.substr(0, length)).has_error());
    }
}

TEST_CASE("a good page with one byte changed never does harm") {
    const std::string page = vector_text("tree_page_1.json");
    for (std::size_t at = 0; at < page.size(); ++at) {
        for (const char c : {'\0', '"', '\\', '{', ']', '9', '-', '\xff', '\n'}) {
            std::string broken = page;
            broken[at] = c;
            std::vector<TreeEntry> files;
            const auto read = read_page(broken, files);
            REQUIRE((read || read.error().kind() == ErrorKind::protocol));
        }
    }
}

TEST_CASE("what is not JSON or not a list is refused") {
    for (const std::string& bad : {std::string{},
                                   std::string{" "},
                                   std::string{"{}"},
                                   std::string{"null"},
                                   std::string{"1"},
                                   std::string{"\"[]\""},
                                   std::string{"[,]"},
                                   std::string{"[1]"},
                                   std::string{"[null]"},
                                   std::string{"[[]]"},
                                   std::string{"[{}]"},
                                   std::string{"[] []"},
                                   std::string{"[]x"},
                                   std::string{"<html>"},
                                   std::string{"[{'path':1}]"},
                                   std::string{"[NaN]"},
                                   std::string{"{\"error\":\"x\"}"},
                                   std::string{"[\"\\ud800\"]"},
                                   std::string(5000, '['),
                                   std::string{"[1e999999]"},
                                   std::string{"[123456789012345678901234567890]"},
                                   std::string{"[\"\xff\"]"},
                                   std::string{"[\"a\nb\"]"},
                                   std::string{"[]\0", 3}}) {
        CAPTURE(bad.substr(0, 40));
        page_error(bad);
    }
    CHECK(contains(page_error("\xef\xbb\xbf[]"), "byte order mark"));
}

TEST_CASE("deep nesting is refused, also where it would be ignored") {
    const std::string deep = std::string(3000, '[') + std::string(3000, ']');
    page_error(deep);
    page_error(page_with("lfs", "null").insert(2, "\"x\":" + deep + ","));
}

TEST_CASE("huge numbers are refused, also where they would be ignored") {
    page_error(page_with("lfs", "null").insert(2, "\"x\":1e400,"));
    page_error(page_with("lfs", "null").insert(2, "\"x\":99999999999999999999,"));
}

TEST_CASE("a key given twice is refused, also in disguise") {
    const std::string good = page_with("", "");
    CHECK(only_entry(good).size == 5);
    CHECK(contains(page_error(std::string{good}.insert(2, "\"size\":6,")), "two keys \"size\""));
    CHECK(contains(page_error(std::string{good}.insert(2, "\"\\u0073ize\":6,")), "two keys"));
    CHECK(contains(page_error(std::string{good}.insert(2, "\"path\":null,")), "two keys"));
    CHECK(contains(page_error(page_with("lfs", "{\"oid\":\"" + lfs_etag + "\",\"oid\":\"" +
                                                   lfs_etag + "\",\"size\":5}")),
                   "two keys \"oid\""));
    CHECK(commit_from_json("{\"sha\":\"" + oid + "\",\"sha\":\"" + oid + "\"}").has_error());
}

TEST_CASE("an entry's values must be there and have the right type") {
    for (const char* key : {"type", "path", "oid"}) {
        for (const char* value : {"", "null", "1", "true", "[]", "{}"}) {
            CAPTURE(key);
            CAPTURE(value);
            CHECK(contains(page_error(page_with(key, value)), key));
        }
    }
    for (const char* value : {"", "null", "\"5\"", "-1", "5.0", "5.5", "5e3", "true", "[5]"}) {
        CAPTURE(value);
        CHECK(contains(page_error(page_with("size", value)), "\"size\""));
    }
    CHECK(contains(page_error(page_with("oid", "\"" + std::string(64, '1') + "\"")), "\"oid\""));
    CHECK(contains(page_error(page_with("oid", "\"" + std::string(40, 'A') + "\"")), "\"oid\""));
    CHECK(contains(page_error(page_with("oid", "5")), "'a'")); // names the entry
    CHECK(contains(page_error(page_with("path", "")), "entry 1"));
}

TEST_CASE("a large file's facts must agree") {
    CHECK(only_entry(page_with("lfs", lfs(lfs_etag, "5"))).etag() == lfs_etag);
    CHECK(only_entry(page_with("lfs", "null")).etag() == oid);
    CHECK(contains(page_error(page_with("lfs", lfs(lfs_etag, "6"))), "differ"));
    CHECK(contains(page_error(page_with("lfs", lfs(lfs_etag, "-5"))), "size"));
    CHECK(contains(page_error(page_with("lfs", lfs(lfs_etag, "5.0"))), "size"));
    CHECK(contains(page_error(page_with("lfs", lfs(oid, "5"))), "lfs.oid"));
    CHECK(contains(page_error(page_with("lfs", lfs(std::string(64, 'A'), "5"))), "lfs.oid"));
    CHECK(contains(page_error(page_with("lfs", "{}")), "lfs.oid"));
    CHECK(contains(page_error(page_with("lfs", "[]")), "not an object"));
    CHECK(contains(page_error(page_with("lfs", "{\"sha256\":\"" + lfs_etag + "\",\"size\":5}")),
                   "lfs.oid"));
}

TEST_CASE("a Xet hash that is none is dropped") {
    CHECK(only_entry(page_with("xetHash", '"' + lfs_etag + '"')).xet_hash == lfs_etag);
    for (const std::string& value : {std::string{"null"}, '"' + std::string(64, '*') + '"',
                                     '"' + std::string(63, 'a') + '"', std::string{"\"\""}}) {
        CHECK(only_entry(page_with("xetHash", value)).xet_hash.empty());
    }
    page_error(page_with("xetHash", "5"));
}

TEST_CASE("unsafe paths refuse the page, also as folders") {
    for (const char* path : {"../x", "/x", "a/../b", ".git/config", "a\\u0000b", "a//b", "a\\nb",
                             "\\u002e\\u002e/x", "..\\\\x", "", "\\udc00"}) {
        CAPTURE(path);
        page_error(page_with("path", '"' + std::string{path} + '"'));
        page_error(page_of("\"type\":\"directory\",\"path\":\"" + std::string{path} + "\""));
    }
    CHECK(contains(page_error(page_with("path", "\"../x\"")), "'../x'"));
}

TEST_CASE("whatever is not a file is a folder") {
    std::vector<TreeEntry> files;
    CHECK(read_page(page_with("type", "\"commit\""), files).has_value());
    CHECK(read_page("[{\"type\":\"directory\",\"path\":\"d\"}]", files).has_value());
    CHECK(files.empty());
}

TEST_CASE("a listing has an end") {
    std::vector<TreeEntry> files;
    const std::string page = vector_text("tree_page_1.json"); // three files
    CHECK(append_tree_page(page, files, 3).has_value());
    CHECK(append_tree_page(page, files, 5).has_error());
    CHECK(files.size() == 5);
}

TEST_CASE("a commit must be a commit") {
    for (const std::string& bad :
         {std::string{"{}"}, std::string{"[]"}, std::string{"{\"sha\":null}"},
          std::string{"{\"sha\":1}"}, std::string{"{\"sha\":\"main\"}"},
          "{\"sha\":\"" + std::string(40, 'A') + "\"}",
          "{\"sha\":\"" + std::string(64, 'a') + "\"}", "{\"x\":{\"sha\":\"" + oid + "\"}}"}) {
        CAPTURE(bad);
        const auto sha = commit_from_json(bad);
        REQUIRE(sha.has_error());
        CHECK(sha.error().kind() == ErrorKind::protocol);
    }
}

TEST_CASE("what errors say is found in their bodies") {
    CHECK(error_text(vector_text("error_forbidden.json")) ==
          "You need a PRO account.; Storage limit reached.; See "
          "https://hub.example/pricing?from=secret-query for plans; limit; plain");
    CHECK(error_text("{\"error\":\"no\"}") == "no");
    CHECK(error_text("{\"error\":5}").empty());
    CHECK(error_text("{\"errors\":{}}").empty());
    CHECK(error_text("[\"no\"]").empty());
    CHECK(error_text("").empty());
    CHECK(error_text("just text") == "just text");
}
