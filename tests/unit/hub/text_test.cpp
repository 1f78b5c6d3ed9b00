#include "daemon/hub/text.hpp"

#include <doctest/doctest.h>

using namespace wharf::hub;

TEST_CASE("only well-formed UTF-8 passes") {
    for (const char* good :
         {"", "plain", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
          "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "d\xc3\xa9j"}) {
        CAPTURE(good);
        CHECK(is_utf8(good));
    }
    for (const char* bad :
         {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x9f\xbf", "\xe2\x82",
          "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
          "\xf5\x80\x80\x80", "\xff", "a\xe2\x82", "\xf0\x9f\x92", "\xe2(\xa1", "\xe2\x82("}) {
        CAPTURE(bad);
        CHECK_FALSE(is_utf8(bad));
    }
    CHECK(is_utf8(std::string_view{"a\0b", 3}));
}

TEST_CASE("quotes are printable and short") {
    CHECK(quoted("a b") == "'a b'");
    CHECK(quoted("") == "''");
    CHECK(quoted("d\xc3\xa9j\xc3\xa0") == "'d\xc3\xa9j\xc3\xa0'");
    CHECK(quoted(std::string_view{"a\0\x1b[2J\n", 7}) == "'a\\x00\\x1b[2J\\x0a'");
    CHECK(quoted("\xff\xc3") == "'\\xff\\xc3'");
    CHECK(quoted("\xc2\x9b") == "'\\xc2\\x9b'");
    const std::string cut = quoted(std::string(5000, 'x'));
    CHECK(cut.size() < 130);
    CHECK(cut.ends_with("x...'"));
    CHECK(is_utf8(quoted(std::string(118, 'x') + "\xe2\x82\xac\xe2\x82\xac")));
}

TEST_CASE("a server's sentence becomes one printable line") {
    CHECK(spoken_text("  Storage \t limit\r\nreached ") == "Storage limit reached");
    CHECK(spoken_text("").empty());
    CHECK(spoken_text(" \n ").empty());
    CHECK(spoken_text("\x1b[31mred") == "[31mred");
    CHECK(spoken_text("<!DOCTYPE html><p>no</p>").empty());
    CHECK(spoken_text("broken \xff").empty());
    CHECK(spoken_text("terminal \xc2\x9b"
                      "2J")
              .empty());
    CHECK(spoken_text("caf\xc3\xa9") == "caf\xc3\xa9");
}

TEST_CASE("a server's sentence is cut between characters") {
    std::string long_text;
    for (int i = 0; i < 500; ++i) {
        long_text += "\xe2\x82\xac";
    }
    const std::string cut = spoken_text("a" + long_text);
    CHECK(cut.size() <= 303);
    CHECK(cut.ends_with("..."));
    CHECK(is_utf8(cut));
}

TEST_CASE("a server's sentence gives no secret away") {
    CHECK(spoken_text("see https://x.example/a?sig=s#f now") == "see https://x.example/a now");
    CHECK(spoken_text("see /a/b?sig=s") == "see /a/b");
    CHECK(spoken_text("why? because") == "why? because");
    CHECK(spoken_text("token hf_abcdefgh is bad") == "token [token] is bad");
    CHECK(spoken_text("token \"hf_abcdefgh\" is bad") == "token [token] is bad");
    CHECK(spoken_text("got Bearer abc.def") == "got Bearer [token]");
}

TEST_CASE("small helpers") {
    CHECK(trimmed(" \ta b\t ") == "a b");
    CHECK(trimmed("  ").empty());
    CHECK(trimmed("").empty());
    CHECK(equals_ignoring_case("Next", "nEXT"));
    CHECK_FALSE(equals_ignoring_case("next", "nex"));
    CHECK_FALSE(equals_ignoring_case("[", "{"));
}
