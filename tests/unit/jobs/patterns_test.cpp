#include "daemon/jobs/patterns.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using wharf::jobs::Filter;

namespace {

wharf::hub::Tree tree_of(std::vector<std::string> paths) {
    wharf::hub::Tree tree;
    for (auto& path : paths) {
        tree.files.push_back({.path = std::move(path),
                              .size = 1,
                              .blob_id = std::string(40, 'a'),
                              .lfs_sha256 = {},
                              .xet_hash = {}});
    }
    return tree;
}

std::vector<std::string> selected(const Filter& filter) {
    const auto tree = tree_of({"README.md", "config.json", "onnx/model.onnx", "onnx/q/m.onnx"});
    std::vector<std::string> paths;
    for (const auto& entry : wharf::jobs::select(tree, filter).value()) {
        paths.push_back(entry.path);
    }
    return paths;
}

} // namespace

TEST_CASE("files are selected by name or by patterns") {
    using Paths = std::vector<std::string>;
    CHECK(selected({}).size() == 4);
    CHECK(selected({.files = {}, .include = {"onnx/"}, .exclude = {}}) ==
          Paths{"onnx/model.onnx", "onnx/q/m.onnx"});
    CHECK(selected({.files = {}, .include = {"onnx"}, .exclude = {}}).empty());
    CHECK(selected({.files = {}, .include = {"*.json", "*.md"}, .exclude = {"README*"}}) ==
          Paths{"config.json"});
    CHECK(selected({.files = {}, .include = {}, .exclude = {"onnx/q/"}}) ==
          Paths{"README.md", "config.json", "onnx/model.onnx"});
    // Named files come in the order of their naming, once, whatever the patterns say.
    CHECK(selected({.files = {"onnx/model.onnx", "README.md", "onnx/model.onnx"},
                    .include = {"*.json"},
                    .exclude = {"*"}}) == Paths{"onnx/model.onnx", "README.md"});
    const auto missing =
        wharf::jobs::select(tree_of({"a"}), Filter{.files = {"b"}, .include = {}, .exclude = {}});
    REQUIRE(missing.has_error());
    CHECK(missing.error().kind() == wharf::ErrorKind::file_not_found);
}

TEST_CASE("a filter that nobody in order would ask for is refused") {
    using wharf::jobs::check_filter;
    using Texts = std::vector<std::string>;
    const auto refused = [](Filter filter) {
        const auto checked = check_filter(std::move(filter));
        return checked.has_error() && checked.error().kind() == wharf::ErrorKind::invalid_request;
    };
    const Filter usual{.files = {}, .include = Texts(200, "*.json"), .exclude = {"onnx/*"}};
    CHECK(check_filter(usual).value() == usual);
    CHECK(refused({.files = {}, .include = Texts(200, "*"), .exclude = Texts(57, "?")}));
    CHECK(refused({.files = {}, .include = {"*[" + std::string(5000, 'z') + "]"}, .exclude = {}}));
    CHECK(refused({.files = Texts(2000, std::string(1000, 'n')), .include = {}, .exclude = {}}));
    CHECK_FALSE(
        refused({.files = Texts(500, std::string(1000, 'n')), .include = {}, .exclude = {}}));
}
