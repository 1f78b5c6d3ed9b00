#pragma once

#include "base/error.hpp"

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>

namespace wharf::hub {

// What all that reads the Hub's JSON is made of; for the *json.cpp of this folder only. simdjson's
// DOM rather than its on-demand parser: it validates all of a document, also what we do not look
// at, and hands out keys with their escapes undone, so that a key cannot hide behind "\u0073ize".
// Nothing here recurses: the parser limits nesting and its users descend a few levels.

namespace dom = simdjson::dom;

using Value = std::optional<dom::element>;

/// A key that is wanted of an object, and where its value goes.
struct Wanted {
    std::string_view key;
    Value* value;
};

/// A protocol Error about an answer. `where`: what in it is wrong.
Error malformed(std::string_view what);
Error malformed(std::string_view where, std::string_view what);

/// The document; it lives as long as the parser is not used again.
Result<dom::element> parse_json(dom::parser& parser, std::string_view body);

/// Takes the wanted values out of an object. A JSON null counts as absent.
Result<void> take(dom::element element, std::string_view where, std::span<const Wanted> wanted);

Result<std::string_view> text_of(const Value& value, std::string_view where, std::string_view key);

/// An integer in JSON too: 1.0 and 1e3 are none.
Result<std::uint64_t> number_of(const Value& value, std::string_view where, std::string_view key);

Result<dom::array> list_of(const Value& value, std::string_view where, std::string_view key);

/// A list that is a document's only interest.
Result<dom::array> list_in(dom::parser& parser, std::string_view body, std::string_view key);

/// What was asked for by name and has not come yet, with its place in the question.
using Places = std::map<std::string_view, std::size_t>;

/// The place of what comes now. Errors: it was not asked for, or has come before.
Result<std::size_t> claim(Places& open, std::string_view name);

/// Errors: something has not come.
Result<void> check_all_came(const Places& open);

/// 64 lower-case hex digits.
bool is_sha256(std::string_view text) noexcept;

} // namespace wharf::hub
