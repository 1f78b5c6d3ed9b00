#include "client/cli/repo_reference.hpp"
#include "client/cli/selection.hpp"

#include <doctest/doctest.h>

using namespace wharf;
using namespace wharf::cli;

namespace {

using List = std::vector<std::string>;

/// A reference in one line: "type repo revision path", "-" for what is not there.
std::string flat(const RepoReference& reference) {
    return reference.repo_type.value_or("-") + " " + reference.repo + " " +
           reference.revision.value_or("-") + " " + reference.path.value_or("-");
}

Selection select(DownloadArguments arguments) {
    if (arguments.repo.empty()) {
        arguments.repo = "org/model";
    }
    return select_files(arguments).value();
}

} // namespace

TEST_CASE("hf:// URIs are taken apart as the official client does") {
    struct Case {
        const char* uri;
        const char* expected;
    };
    for (const auto& [uri, expected] : {
             Case{"hf://org/model", "model org/model - -"},
             Case{"hf://models/org/model", "model org/model - -"},
             Case{"hf://datasets/org/data", "dataset org/data - -"},
             Case{"hf://spaces/org/app/", "space org/app - -"},
             Case{"hf://org/model@v1", "model org/model v1 -"},
             Case{"hf://org/model@v1/a/b.txt", "model org/model v1 a/b.txt"},
             Case{"hf://org/model/a/b@1.txt", "model org/model - a/b@1.txt"},
             Case{"hf://org/model/folder/", "model org/model - folder/"},
             Case{"hf://org/model@refs/pr/12/x.json", "model org/model refs/pr/12 x.json"},
             Case{"hf://org/model@refs/pr/12", "model org/model refs/pr/12 -"},
             Case{"hf://datasets/o/d@refs/convert/parquet-v2/d/",
                  "dataset o/d refs/convert/parquet-v2 d/"},
             Case{"hf://org/model@feature%2Ffoo/x", "model org/model feature/foo x"},
             Case{"hf://org/model@refs/prx/1", "model org/model refs prx/1"},
         }) {
        CAPTURE(uri);
        REQUIRE(is_hub_uri(uri));
        CHECK(flat(parse_hub_uri(uri).value()) == expected);
    }
}

TEST_CASE("URIs that mean nothing are refused") {
    for (const char* uri :
         {"hf://", "hf://org", "hf:///", "hf://model/org/x", "hf://dataset/org/x", "hf://datasets",
          "hf://datasets/x", "hf://buckets/org/b", "hf://kernels/org/k", "hf://org/model@",
          "hf://org/model@/x", "hf://@v1", "hf://org/@v1", "hf://org/model//x",
          "hf://org/model@v1//x"}) {
        CAPTURE(uri);
        const auto parsed = parse_hub_uri(uri);
        REQUIRE(parsed.has_error());
        CHECK(parsed.error().kind() == ErrorKind::invalid_request);
    }
    CHECK(!is_hub_uri("org/model"));
}

TEST_CASE("a plain repo may carry its type") {
    CHECK(flat(parse_repo_id("org/model").value()) == "- org/model - -");
    CHECK(flat(parse_repo_id("gpt2").value()) == "- gpt2 - -");
    CHECK(flat(parse_repo_id("datasets/org/data").value()) == "dataset org/data - -");
    CHECK(flat(parse_repo_id("datasets/squad").value()) == "- datasets/squad - -");
    CHECK(flat(parse_repo_id("a/b/c").value()) == "- a/b/c - -"); // the daemon says what it thinks
    CHECK(parse_repo_id("buckets/org/b").has_error());
    CHECK(parse_repo_id("dataset/org/b").has_error());
}

TEST_CASE("what to ask for: nothing named") {
    const Selection all = select({});
    CHECK(all.repo == "org/model");
    CHECK(all.repo_type == "model");
    CHECK(all.revision == "main");
    CHECK(all.files.empty());
    CHECK(!all.single_file);
    const Selection patterns = select({.include = {"*.json", "a/"}, .exclude = {"b"}});
    CHECK(patterns.include == List{"*.json", "a/"});
    CHECK(patterns.exclude == List{"b"});
}

TEST_CASE("what to ask for: names") {
    const Selection one = select({.files = {"weights[1].bin"}});
    CHECK(one.single_file);
    CHECK(one.files == List{"weights[1].bin"}); // alone it is exact whatever is in it
    const Selection two = select({.files = {"a", "b/c"}});
    CHECK(!two.single_file);
    CHECK(two.files == List{"a", "b/c"});
    const Selection folder = select({.files = {"art/"}});
    CHECK(!folder.single_file);
    CHECK(folder.include == List{"art/**"});
    CHECK(folder.files.empty());
    const Selection mixed = select({.files = {"a.txt", "*.json", "art//"}});
    CHECK(mixed.include == List{"a.txt", "*.json", "art/**"});
    CHECK(mixed.files.empty());
}

TEST_CASE("patterns beside names are ignored, and that is said") {
    const Selection selection = select({.files = {"a"}, .include = {"*"}, .exclude = {"b"}});
    CHECK(selection.include.empty());
    CHECK(selection.exclude.empty());
    REQUIRE(selection.warnings.size() == 2);
    CHECK(selection.warnings[0].find("--include") != std::string::npos);
    CHECK(selection.warnings[1].find("--exclude") != std::string::npos);
    CHECK(select({.include = {"*"}}).warnings.empty());
}

TEST_CASE("a URI is the whole truth") {
    const Selection selection = select({.repo = "hf://datasets/o/d@v1/x.txt"});
    CHECK(selection.repo == "o/d");
    CHECK(selection.repo_type == "dataset");
    CHECK(selection.revision == "v1");
    CHECK(selection.single_file);
    CHECK(select({.repo = "hf://o/m/art/"}).include == List{"art/**"});
    CHECK(select({.repo = "hf://o/m", .files = {"a"}}).files == List{"a"});
}

TEST_CASE("contradictions and empty values are refused") {
    const DownloadArguments bad[] = {
        {.repo = ""},
        {.repo = "o/m", .files = {""}},
        {.repo = "o/m", .files = {"a", ""}},
        {.repo = "o/m", .include = {""}},
        {.repo = "o/m", .exclude = {"a", ""}},
        {.repo = "o/m", .revision = ""},
        {.repo = "o/m", .files = {"art/"}, .include = {"*"}},
        {.repo = "o/m", .files = {"art/", "x"}, .exclude = {"*"}},
        {.repo = "hf://o/m", .repo_type = "model"},
        {.repo = "hf://o/m", .revision = "main"},
        {.repo = "hf://o/m/a", .files = {"b"}},
        {.repo = "datasets/o/d", .repo_type = "model"},
    };
    for (const DownloadArguments& arguments : bad) {
        CAPTURE(arguments.repo);
        CHECK(select_files(arguments).has_error());
    }
    CHECK(select({.repo = "datasets/o/d", .repo_type = "dataset"}).repo_type == "dataset");
}
