#include "client/cli/token.hpp"

#include "base/read_up_to.hpp"
#include "base/unique_fd.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <system_error>

namespace wharf::cli {

namespace {

constexpr std::size_t largest_token_file = std::size_t{16} << 10;
constexpr std::string_view blanks = " \t\v\f\r\n";

std::string token_file(const Environment& environment) {
    if (const auto path = non_empty(environment, "HF_TOKEN_PATH")) {
        return expand_path(*path, environment);
    }
    if (const auto home = non_empty(environment, "HF_HOME")) {
        return expand_path(*home + "/token", environment);
    }
    const auto caches = non_empty(environment, "XDG_CACHE_HOME").value_or("~/.cache");
    return expand_path(caches + "/huggingface/token", environment);
}

/// The search's end, when that is a token.
Result<TokenSearch> found(Result<std::string> token) {
    if (!token) {
        return token.error();
    }
    return TokenSearch{*std::move(token), std::nullopt};
}

bool is_blank(std::string_view text) noexcept {
    return text.find_first_not_of(blanks) == text.npos;
}

} // namespace

Result<std::string> clean_token(std::string text, std::string_view origin) {
    std::erase_if(text, [](char c) { return c == '\r' || c == '\n'; });
    text.erase(0, std::min(text.find_first_not_of(blanks), text.size()));
    text.erase(text.find_last_not_of(blanks) + 1); // npos + 1 is 0
    // It goes into a header: anything but visible ASCII would at best be refused by the Hub.
    if (!std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; })) {
        return Error{ErrorKind::invalid_request,
                     fmt::format("the token from {} holds a character that no token has", origin),
                     "copy it again from the Hub's settings, without blanks or quotes"};
    }
    return text;
}

Result<std::optional<std::string>> read_token_file(const std::string& path) {
    const UniqueFd file{adopt_fd, ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)};
    if (!file) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return std::optional<std::string>{};
        }
        return system_error(path, errno);
    }
    auto text = read_up_to(file.value(), largest_token_file + 1);
    if (!text) {
        return system_error(path, errno);
    }
    if (text->size() > largest_token_file) {
        return Error{ErrorKind::storage, fmt::format("{}: too long for a token", path)};
    }
    return text;
}

Result<TokenSearch> find_token(const std::optional<std::string>& option,
                               const Environment& environment, const ReadFile& read_file) {
    if (option) {
        return found(clean_token(*option, "--token"));
    }
    if (is_true(environment, "HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
        return TokenSearch{"", std::nullopt};
    }
    for (const char* variable : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
        if (auto value = non_empty(environment, variable)) {
            if (!is_blank(*value)) {
                return found(clean_token(std::move(*value), variable));
            }
            break; // a blank HF_TOKEN hides the older name, but not the file
        }
    }
    const std::string path = token_file(environment);
    auto content = read_file(path);
    if (!content) {
        return TokenSearch{std::nullopt,
                           fmt::format("going on without a token: {}", content.error().message())};
    }
    if (!*content || is_blank(**content)) {
        return TokenSearch{};
    }
    return found(clean_token(**std::move(content), path));
}

void scrub_token_argument(int argc, char** argv) noexcept {
    static constexpr std::string_view name = "--token";
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument{argv[i]};
        char* value = nullptr;
        if (argument == name && i + 1 < argc) {
            value = argv[i + 1];
        } else if (argument.starts_with(name) && argument.substr(name.size()).starts_with('=')) {
            value = argv[i] + name.size() + 1;
        }
        if (value) {
            std::memset(value, '*', std::strlen(value));
        }
    }
}

} // namespace wharf::cli
