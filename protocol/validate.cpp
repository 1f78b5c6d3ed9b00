#include "protocol/validate.hpp"

#include "protocol/utf8.hpp"

#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace wharf::protocol {

namespace {

namespace json = boost::json;

/// What is wrong with a value, as the end of a sentence that begins with its name: " is missing",
/// "[2] is not a string". Each level puts its own name in front on the way out, so checking a
/// good value builds no text.
using Wrong = std::optional<std::string>;

Wrong unless(bool good, std::string_view what) {
    return good ? std::nullopt : Wrong{what};
}

Wrong check_text(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) {
        return " has a NUL character";
    }
    return unless(is_utf8(text), " is not UTF-8");
}

/// Unsigned values are what is read above the range of int64, and what we write from unsigned
/// types.
bool is_integer(const json::value& value) noexcept {
    const auto* const number = value.if_uint64();
    return value.is_int64() || (number != nullptr &&
                                *number <= std::uint64_t{std::numeric_limits<std::int64_t>::max()});
}

std::string in_member(std::string_view name, const std::string& wrong) {
    return fmt::format(".{}{}", name, wrong);
}

std::string in_element(std::size_t index, const std::string& wrong) {
    return fmt::format("[{}]{}", index, wrong);
}

/// Checks a value that may have any form: only its strings can be wrong.
Wrong check_any(const json::value& value) {
    if (const json::string* text = value.if_string()) {
        return check_text(*text);
    }
    if (const json::array* array = value.if_array()) {
        for (std::size_t i = 0; i < array->size(); ++i) {
            if (const Wrong wrong = check_any((*array)[i])) {
                return in_element(i, *wrong);
            }
        }
    }
    if (const json::object* object = value.if_object()) {
        for (const auto& member : *object) {
            const Wrong wrong = check_text(member.key());
            if (const Wrong inner = wrong ? wrong : check_any(member.value())) {
                return in_member(member.key(), *inner);
            }
        }
    }
    return std::nullopt;
}

/// Checks values against types of one interface. It calls itself for values in values; how deep
/// those are is bounded where messages are decoded.
class Validator {
  public:
    explicit Validator(const Interface& interface) noexcept : interface_{interface} {}

    /// The first mismatch of a structure: the member's name and what is wrong with it.
    std::optional<std::pair<std::string, std::string>>
    find_in_structure(const Type& type, const json::object& object) const {
        for (const auto& member : object) {
            const auto same = [&](const Field& field) {
                return field.name == std::string_view{member.key()};
            };
            if (std::none_of(type.fields.begin(), type.fields.end(), same)) {
                return std::pair{std::string{member.key()}, std::string{" is not known"}};
            }
        }
        for (const Field& field : type.fields) {
            if (Wrong wrong = check(field.type, object.if_contains(field.name))) {
                return std::pair{field.name, std::move(*wrong)};
            }
        }
        return std::nullopt;
    }

  private:
    /// `value` is null for a member that is absent.
    Wrong check(const Type& type, const json::value* value) const {
        if (type.optional && (value == nullptr || value->is_null())) {
            return std::nullopt;
        }
        return value == nullptr ? Wrong{" is missing"} : check_present(type, *value);
    }

    Wrong check_present(const Type& type, const json::value& value) const {
        switch (type.kind) {
        case Type::Kind::boolean:
            return unless(value.is_bool(), " is not true or false");
        case Type::Kind::integer:
            return unless(is_integer(value), " is not an integer");
        case Type::Kind::floating:
            return unless(value.is_number(), " is not a number");
        case Type::Kind::string:
            return value.is_string() ? check_text(value.get_string()) : " is not a string";
        case Type::Kind::object:
            return value.is_object() ? check_any(value) : " is not an object";
        case Type::Kind::any:
            return check_any(value);
        case Type::Kind::named:
            return check_named(type, value);
        case Type::Kind::structure:
            return check_structure(type, value);
        case Type::Kind::enumeration:
            return check_word(type, value);
        case Type::Kind::array:
            return check_array(type, value);
        case Type::Kind::map:
            return check_map(type, value);
        }
        return " is of an unknown type";
    }

    Wrong check_named(const Type& type, const json::value& value) const {
        const Type* found = interface_.find_type(type.name);
        assert(found != nullptr); // the definition's parser made sure
        return check_present(*found, value);
    }

    Wrong check_structure(const Type& type, const json::value& value) const {
        if (!value.is_object()) {
            return " is not an object";
        }
        const auto wrong = find_in_structure(type, value.get_object());
        return wrong ? Wrong{in_member(wrong->first, wrong->second)} : std::nullopt;
    }

    static Wrong check_word(const Type& type, const json::value& value) {
        const auto same = [&](const std::string& word) { return value.get_string() == word; };
        const bool good =
            value.is_string() && std::any_of(type.words.begin(), type.words.end(), same);
        return unless(good, " is none of the words it can be");
    }

    Wrong check_array(const Type& type, const json::value& value) const {
        if (!value.is_array()) {
            return " is not an array";
        }
        const json::array& array = value.get_array();
        for (std::size_t i = 0; i < array.size(); ++i) {
            if (const Wrong wrong = check(type.element.front(), &array[i])) {
                return in_element(i, *wrong);
            }
        }
        return std::nullopt;
    }

    Wrong check_map(const Type& type, const json::value& value) const {
        if (!value.is_object()) {
            return " is not an object";
        }
        for (const auto& member : value.get_object()) {
            const Wrong wrong = check_text(member.key());
            if (const Wrong inner = wrong ? wrong : check(type.element.front(), &member.value())) {
                return in_member(member.key(), *inner);
            }
        }
        return std::nullopt;
    }

    const Interface& interface_;
};

} // namespace

std::optional<Mismatch> find_mismatch(const Interface& interface, const Type& structure,
                                      const json::object& object) {
    assert(structure.kind == Type::Kind::structure);
    const auto wrong = Validator{interface}.find_in_structure(structure, object);
    if (!wrong) {
        return std::nullopt;
    }
    return Mismatch{wrong->first, wrong->first + wrong->second};
}

} // namespace wharf::protocol
