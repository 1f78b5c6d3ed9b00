#include "base/wildcard.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using wharf::matches;
using wharf::matches_any;

TEST_CASE("patterns match as Python's fnmatchcase does") {
    struct Case {
        const char* pattern;
        const char* path;
        bool expected;
    };
    // Each row was compared with python3 -c 'from fnmatch import fnmatchcase; …'.
    const std::vector<Case> cases{
        {"*", "a/b.json", true},
        {"*.json", "a/b.json", true}, // "*" crosses "/"
        {"*.json", "a/b.jsonl", false},
        {"**/*.json", "x.json", false},
        {"**/*.json", "a/x.json", true},
        {"config.json", "a/config.json", false},
        {"A*", "abc", false},
        {"?.bin", "a.bin", true},
        {"?.bin", "ab.bin", false},
        {"?.bin", "\xC3\xA9.bin", true}, // one character of two bytes
        {"model-[0-9].bin", "model-7.bin", true},
        {"model-[!0-9].bin", "model-7.bin", false},
        {"model-[!0-9].bin", "model-x.bin", true},
        {"[]]x", "]x", true},
        {"[!]]x", "ax", true},
        {"[!]]x", "]x", false},
        {"[^a]", "^", true}, // "^" is no negation
        {"[^a]", "b", false},
        {"[a-]", "-", true},
        {"a[b", "a[b", true}, // never closed: itself
        {"a[[]b", "a[b", true},
        {"\\*", "\\x", true}, // no escapes
        {".*", "a/.git", false},
        {"", "", true},
        {"", "a", false},
        {"*a*b*c", "xxaxxbxxc", true},
        {"*a*b*c", "xxaxxbxx", false},
        {"a*", "a", true},
        {"a**", "a", true},
        {"[\xC3\xA0-\xC3\xBF]", "\xC3\xA9", true}, // a range beyond ASCII
    };
    for (const auto& each : cases) {
        CAPTURE(each.pattern);
        CAPTURE(each.path);
        CHECK(matches(each.pattern, each.path) == each.expected);
    }
}

TEST_CASE("a pattern made to explode does not") {
    const std::string path(2000, 'a');
    std::string pattern;
    for (int i = 0; i < 100; ++i) {
        pattern += "*a";
    }
    CHECK(matches(pattern, path));
    CHECK_FALSE(matches(pattern + "b", path));
}

TEST_CASE("one of several patterns is enough, and a folder means all below") {
    CHECK(matches_any({"*.json", "onnx/"}, "onnx/q/m.onnx"));
    CHECK(matches_any({"*.json", "onnx/"}, "a/b.json"));
    CHECK_FALSE(matches_any({"*.json", "onnx/"}, "onnx"));
    CHECK_FALSE(matches_any({}, "a"));
}
