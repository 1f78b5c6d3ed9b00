#include "protocol/definitions.hpp"
#include "protocol/frame.hpp"
#include "protocol/interface.hpp"
#include "protocol/message.hpp"
#include "protocol/validate.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>

using wharf::protocol::Interface;

// Texts that were good once, damaged at random: readers must say so or understand them, and do
// nothing else. The same damage in every run.

namespace {

class Damage {
  public:
    std::string operator()(std::string text) {
        const auto hits = 1 + random_() % 4;
        for (unsigned long i = 0; i < hits && !text.empty(); ++i) {
            const std::size_t at = random_() % text.size();
            switch (random_() % 5) {
            case 0:
                text[at] = static_cast<char>(random_());
                break;
            case 1:
                text.erase(at, 1 + random_() % 8);
                break;
            case 2:
                text.insert(at, text.substr(random_() % text.size(), random_() % 40));
                break;
            case 3:
                text[at] = "\"\\{}[]():,?#\0\n0"[random_() % 15];
                break;
            default:
                text.resize(at);
                break;
            }
        }
        return text;
    }

  private:
    std::mt19937 random_{20'240};
};

} // namespace

TEST_CASE("damaged definitions are refused or read") {
    Damage damage;
    std::size_t good = 0;
    for (const std::string_view text : wharf::protocol::definitions()) {
        for (int i = 0; i < 2000; ++i) {
            good += Interface::parse(damage(std::string{text})).has_value() ? 1U : 0U;
        }
    }
    CHECK(good > 0); // damage in comments is none
}

TEST_CASE("damaged calls are refused or read, and what is read can be written") {
    Damage damage;
    const Interface interface = Interface::parse(wharf::protocol::definitions()[2]).value();
    const std::string text =
        R"({"method":"org.wharf.Downloads.Download","parameters":{"repo":"a/b","files":["x\\y"],)"
        R"("force":true,"token":null,"revision":"\u00e9\ud83d\ude00"},"more":true})";
    REQUIRE(wharf::protocol::decode_call(text).has_value());
    for (int i = 0; i < 20'000; ++i) {
        const auto call = wharf::protocol::decode_call(damage(text));
        if (call) {
            find_mismatch(interface, interface.find_method("Download")->input, call->parameters);
            std::string again = encode(*call);
            again.pop_back();
            const auto same = wharf::protocol::decode_call(again);
            REQUIRE(same.has_value());
            CHECK(same->parameters == call->parameters);
        }
    }
}
