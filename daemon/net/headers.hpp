#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wharf::net {

/// Whether two field names are the same: ASCII letters compare without case.
bool equal_names(std::string_view a, std::string_view b) noexcept;

/// Header fields in order; names compare without case. The value of Authorization is wiped at the
/// end.
class Headers {
  public:
    Headers() = default;
    Headers(const Headers&) = default;
    Headers(Headers&&) noexcept = default;
    Headers& operator=(Headers other) noexcept {
        fields_.swap(other.fields_);
        return *this;
    }
    ~Headers();

    void add(std::string name, std::string value) {
        fields_.emplace_back(std::move(name), std::move(value));
    }

    /// The first field of that name.
    std::optional<std::string_view> find(std::string_view name) const noexcept;

    /// All values of that name, in order.
    std::vector<std::string_view> all(std::string_view name) const;

    const std::vector<std::pair<std::string, std::string>>& fields() const noexcept {
        return fields_;
    }

  private:
    std::vector<std::pair<std::string, std::string>> fields_;
};

} // namespace wharf::net
