// Text from outside on its way into sentences of ours. Promises: our two readers of UTF-8 agree;
// what is quoted or repeated is one printable line of bounded length; repeating it shows no token.

#include "daemon/hub/text.hpp"
#include "protocol/utf8.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace wharf::fuzz {

namespace {

void check_spoken(std::string_view text) {
    const std::string spoken = hub::spoken_text(text);
    require(is_printable(spoken), "what a server said is one printable line");
    require(spoken.size() <= 303, "what a server said is cut");
    require(spoken.find('<') == spoken.npos, "a page is not repeated");
}

/// A token between whatever the fuzzer found must not be repeated.
void check_discretion(std::string_view text) {
    constexpr std::string_view secret = "ThisIsASecret";
    if (text.find(secret) != text.npos) {
        return; // spelt out by the fuzzer, it is no token
    }
    std::string sentence{text};
    sentence.insert(text.size() / 2, "hf_" + std::string{secret});
    require(hub::spoken_text(sentence).find(secret) == std::string::npos, "a token is blotted out");
}

} // namespace

void run(std::string_view input) {
    const MemoryLimit limit{(16 << 10) + 16 * input.size()};
    const bool valid = protocol::is_utf8(input);
    require(valid == hub::is_utf8(input), "both readers of UTF-8 agree");
    const std::string mended = protocol::to_utf8(input);
    require(protocol::is_utf8(mended), "mended text is UTF-8");
    require(valid == (mended == input), "only broken text is mended");
    const std::string quoted = hub::quoted(input);
    require(is_printable(quoted), "quoted text is one printable line");
    require(quoted.size() <= 140, "quoted text is cut");
    check_spoken(input);
    check_discretion(input);
    const std::string_view trimmed = hub::trimmed(input);
    require(hub::trimmed(trimmed) == trimmed, "trimmed text has nothing to trim");
    require(hub::equals_ignoring_case(input, input), "a text equals itself");
}

} // namespace wharf::fuzz
