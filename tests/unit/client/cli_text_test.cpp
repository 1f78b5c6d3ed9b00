#include "client/cli/table.hpp"
#include "client/cli/text.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace wharf::cli;

TEST_CASE("text from outside cannot steer a terminal") {
    CHECK(printable("models/a b.bin") == "models/a b.bin");
    CHECK(printable("日本語 é 🙂") == "日本語 é 🙂");
    CHECK(printable("a\x1b[2Jb\r\n\t\x7f") == "a\\x1b[2Jb\\x0d\\x0a\\x09\\x7f");
    CHECK(printable("\xc2\x9b") == "\\u{9b}"); // CSI as one character
    CHECK(printable("x\xe2\x80\xaey") == "x\\u{202e}y");
    CHECK(printable("\xe2\x80\xa8") == "\\u{2028}");
    CHECK(printable(std::string_view{"\0", 1}) == "\\x00");
}

TEST_CASE("bytes that are not UTF-8 are shown as numbers") {
    CHECK(printable("\xff") == "\\xff");
    CHECK(printable("\xc0\xaf") == "\\xc0\\xaf");                   // overlong
    CHECK(printable("\xe0\x80\xaf") == "\\xe0\\x80\\xaf");          // overlong
    CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");          // surrogate
    CHECK(printable("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80"); // above the last code
    CHECK(printable("ab\xe2\x82") == "ab\\xe2\\x82");               // cut off
}

TEST_CASE("columns on the screen") {
    CHECK(display_width("") == 0);
    CHECK(display_width("abc") == 3);
    CHECK(display_width("日本") == 4);
    CHECK(display_width("e\xcc\x81") == 1); // a combining accent
    CHECK(display_width("━━") == 2);
}

TEST_CASE("what does not fit is cut without splitting characters") {
    CHECK(keep_end("abcdef", 6, true) == "abcdef");
    CHECK(keep_end("abcdef", 4, true) == "…def");
    CHECK(keep_end("abcdef", 4, false) == "..ef");
    CHECK(keep_end("日本語", 4, true) == "…語");
    CHECK(keep_end("abcdef", 1, true) == "…");
    CHECK(keep_end("abcdef", 1, false) == ".");
    CHECK(keep_end("abcdef", 0, true).empty());
    CHECK(keep_start("日本語", 5) == "日本");
    CHECK(keep_start("abc", 0).empty());
}

TEST_CASE("words for a shell") {
    CHECK(shell_quote("/var/cache/wharf-1.0_x") == "/var/cache/wharf-1.0_x");
    CHECK(shell_quote("") == "''");
    CHECK(shell_quote("a b") == "'a b'");
    CHECK(shell_quote("it's") == "'it'\\''s'");
    CHECK(shell_quote("$(id)`id`\n;") == "'$(id)`id`\n;'");
    CHECK(shell_quote("~") == "'~'");
    CHECK(shell_quote("ü") == "'ü'");
}

TEST_CASE("counted nouns") {
    CHECK(count(0, "file") == "0 files");
    CHECK(count(1, "file") == "1 file");
    CHECK(count(12, "file") == "12 files");
}

TEST_CASE("tables align columns by what is seen") {
    Table table{{"FILE", Align::left}, {"SIZE", Align::right}, {"STATE", Align::left}};
    table.add({"日本", "1.0 MB", "cached"});
    table.add({"a\nb", "12 B", ""});
    CHECK(table.render() == "FILE      SIZE  STATE\n"
                            "日本    1.0 MB  cached\n"
                            "a\\x0ab    12 B\n");
}
