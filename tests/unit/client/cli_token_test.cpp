#include "client/cli/environment.hpp"
#include "client/cli/token.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

using namespace wharf;
using namespace wharf::cli;

namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

Environment environment_of(Variables variables) {
    return [variables = std::move(variables)](std::string_view name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional{found->second};
    };
}

/// The token found, "-" for none, with the files there are.
std::string find(const std::optional<std::string>& option, const Variables& variables,
                 const Variables& files = {}) {
    const ReadFile read = [&](const std::string& path) -> Result<std::optional<std::string>> {
        const auto file = files.find(path);
        return file == files.end() ? std::nullopt : std::optional{file->second};
    };
    return find_token(option, environment_of(variables), read).value().token.value_or("-");
}

} // namespace

TEST_CASE("tokens are looked for in the official order") {
    const Variables files{{"/p/token", "path"},
                          {"/h/token", "home"},
                          {"/x/huggingface/token", "xdg"},
                          {"/u/.cache/huggingface/token", "default"}};
    Variables variables{{"HF_TOKEN", "variable"},      {"HUGGING_FACE_HUB_TOKEN", "older"},
                        {"HF_TOKEN_PATH", "/p/token"}, {"HF_HOME", "/h"},
                        {"XDG_CACHE_HOME", "/x"},      {"HOME", "/u"}};
    CHECK(find("option", variables, files) == "option");
    const std::vector<std::pair<const char*, const char*>> order{
        {"HF_TOKEN", "variable"}, {"HUGGING_FACE_HUB_TOKEN", "older"}, {"HF_TOKEN_PATH", "path"},
        {"HF_HOME", "home"},      {"XDG_CACHE_HOME", "xdg"},           {"HOME", "default"}};
    for (const auto& [variable, token] : order) {
        CAPTURE(variable);
        CHECK(find(std::nullopt, variables, files) == token);
        if (std::string_view{variable} != "HOME") {
            variables.erase(variable);
        }
    }
}

TEST_CASE("what is empty is no token, and empty variables are as if unset") {
    CHECK(find("", {{"HF_TOKEN", "variable"}}) == ""); // none by choice, not even a stored one
    CHECK(find(" \n", {{"HF_TOKEN", "variable"}}) == "");
    const Variables home{{"HOME", "/u"},
                         {"HF_HOME", ""},
                         {"HF_TOKEN_PATH", ""},
                         {"HF_TOKEN", ""},
                         {"XDG_CACHE_HOME", ""}};
    CHECK(find(std::nullopt, home, {{"/u/.cache/huggingface/token", "\r\n  t\t\n"}}) == "t");
    CHECK(find(std::nullopt, home, {{"/u/.cache/huggingface/token", "\n"}}) == "-");
    CHECK(find(std::nullopt, home) == "-");
}

TEST_CASE("a blank HF_TOKEN hides the older name, as in the official client, but not the file") {
    const Variables variables{
        {"HF_TOKEN", "  "}, {"HUGGING_FACE_HUB_TOKEN", "older"}, {"HF_HOME", "/h"}};
    CHECK(find(std::nullopt, variables, {{"/h/token", "home"}}) == "home");
}

TEST_CASE("implicit tokens can be switched off") {
    for (const char* yes : {"1", "true", "On", "YES"}) {
        CAPTURE(yes);
        const Variables variables{{"HF_TOKEN", "variable"}, {"HF_HUB_DISABLE_IMPLICIT_TOKEN", yes}};
        CHECK(find(std::nullopt, variables) == "");
        CHECK(find("option", variables) == "option");
    }
    CHECK(find(std::nullopt, {{"HF_TOKEN", "t"}, {"HF_HUB_DISABLE_IMPLICIT_TOKEN", "0"}}) == "t");
}

TEST_CASE("a token that no header may hold is refused and not repeated") {
    for (const char* bad : {"two words", "tab\tbed", "caf\xc3\xa9", "esc\x1b"}) {
        const auto found = find_token(bad, environment_of({}), read_token_file);
        REQUIRE(found.has_error());
        CHECK(found.error().kind() == ErrorKind::invalid_request);
        CHECK(found.error().message().find(bad) == std::string::npos);
    }
}

TEST_CASE("a token file that cannot be read is a warning") {
    const ReadFile fails = [](const std::string&) -> Result<std::optional<std::string>> {
        return Error{ErrorKind::storage, "/u/token: Permission denied"};
    };
    const auto found = find_token(std::nullopt, environment_of({{"HF_HOME", "/u"}}), fails).value();
    CHECK(!found.token);
    CHECK(found.warning.value_or("").find("Permission denied") != std::string::npos);
}

TEST_CASE("the real file: absent, a folder, too long") {
    CHECK(!read_token_file("/nowhere/at/all").value());
    CHECK(read_token_file("/").has_error());
    CHECK(read_token_file("/dev/zero").has_error());
}

TEST_CASE("home and variables in paths") {
    const auto environment = environment_of({{"HOME", "/u"}, {"A", "x"}, {"AB", "y"}});
    CHECK(expand_path("~/t", environment) == "/u/t");
    CHECK(expand_path("~", environment) == "/u");
    CHECK(expand_path("~other/t", environment) == "~other/t");
    CHECK(expand_path("/$A/${A}B/$AB", environment) == "/x/xB/y");
    CHECK(expand_path("$NONE/${NONE}/$/${/a$", environment) == "$NONE/${NONE}/$/${/a$");
    CHECK(expand_home("~/$A", environment) == "/u/$A");
    CHECK(expand_home("a~/b", environment) == "a~/b");
}

TEST_CASE("the arguments forget the token") {
    std::string program = "wharf", option = "--token", value = "secret", joined = "--token=secret2",
                other = "--tokens";
    std::vector<char*> argv{program.data(), option.data(), value.data(), other.data(),
                            joined.data()};
    scrub_token_argument(static_cast<int>(argv.size()), argv.data());
    CHECK(value == "******");
    CHECK(joined == "--token=*******");
    CHECK(other == "--tokens");
    std::vector<char*> cut_off{program.data(), option.data()};
    scrub_token_argument(2, cut_off.data());
    CHECK(option == "--token");
}
