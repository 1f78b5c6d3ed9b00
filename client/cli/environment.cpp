#include "client/cli/environment.hpp"

#include <algorithm>
#include <array>
#include <pwd.h>
#include <unistd.h>
#include <vector>

namespace wharf::cli {

namespace {

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::size_t name_size(std::string_view text) {
    const auto end = std::ranges::find_if_not(text, is_name_character);
    return static_cast<std::size_t>(end - text.begin());
}

/// Expands the variable that `text` begins with ("$NAME…" or "${NAME}…"), appends its value or,
/// when there is none, the text itself, and returns how much of `text` that was.
std::size_t expand_variable(std::string_view text, const Environment& environment,
                            std::string& out) {
    const bool braces = text.size() > 1 && text[1] == '{';
    const std::size_t start = braces ? 2 : 1;
    const std::size_t size = name_size(text.substr(std::min(start, text.size())));
    const bool closed = !braces || (start + size < text.size() && text[start + size] == '}');
    if (size == 0 || !closed) {
        out += text.front();
        return 1;
    }
    const std::size_t whole = start + size + (braces ? 1 : 0);
    out += environment(text.substr(start, size)).value_or(std::string{text.substr(0, whole)});
    return whole;
}

} // namespace

std::optional<std::string> non_empty(const Environment& environment, std::string_view name) {
    auto value = environment(name);
    return value && !value->empty() ? value : std::nullopt;
}

bool is_true(const Environment& environment, std::string_view name) {
    static constexpr std::array<std::string_view, 4> yes{"1", "ON", "YES", "TRUE"};
    std::string value = environment(name).value_or("");
    std::ranges::transform(value, value.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return std::ranges::find(yes, value) != yes.end();
}

std::optional<std::string> home_directory(const Environment& environment) {
    if (auto home = non_empty(environment, "HOME")) {
        return home;
    }
    std::vector<char> buffer(std::size_t{16} << 10);
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found) {
        return std::nullopt;
    }
    return std::string{found->pw_dir};
}

std::string expand_home(std::string_view path, const Environment& environment) {
    if (path == "~" || path.starts_with("~/")) {
        if (const auto home = home_directory(environment)) {
            return *home + std::string{path.substr(1)};
        }
    }
    return std::string{path};
}

std::string expand_path(std::string_view path, const Environment& environment) {
    const std::string from_home = expand_home(path, environment);
    std::string_view rest = from_home;
    std::string out;
    while (!rest.empty()) {
        if (rest.front() == '$') {
            rest.remove_prefix(expand_variable(rest, environment, out));
        } else {
            out += rest.front();
            rest.remove_prefix(1);
        }
    }
    return out;
}

} // namespace wharf::cli
