#include "daemon/net/headers.hpp"

#include "base/secret.hpp"

#include <algorithm>

namespace wharf::net {

namespace {

constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

} // namespace

bool equal_names(std::string_view a, std::string_view b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

Headers::~Headers() {
    for (auto& [field, value] : fields_) {
        if (equal_names(field, "Authorization")) {
            wipe(value);
        }
    }
}

std::optional<std::string_view> Headers::find(std::string_view name) const noexcept {
    for (const auto& [field, value] : fields_) {
        if (equal_names(field, name)) {
            return value;
        }
    }
    return std::nullopt;
}

std::vector<std::string_view> Headers::all(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const auto& [field, value] : fields_) {
        if (equal_names(field, name)) {
            values.emplace_back(value);
        }
    }
    return values;
}

} // namespace wharf::net
