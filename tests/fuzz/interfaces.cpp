// Interface definitions, and values of their types. Promises: a definition that is accepted means
// the same when written again from what was understood; an object made after a structure fits it,
// and stops to do so with a member too many.

#include "protocol/interface.hpp"
#include "protocol/validate.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <array>
#include <optional>

namespace wharf::fuzz {

namespace {

namespace json = boost::json;
using protocol::Interface;
using protocol::Type;
using Kind = Type::Kind;

std::string text_of(const Type& type);

std::string text_of_fields(const Type& type) {
    std::string out = "(";
    for (const protocol::Field& field : type.fields) {
        out += (out.size() > 1 ? ", " : "") + field.name + ": " + text_of(field.type);
    }
    return out + ")";
}

std::string text_of_words(const Type& type) {
    std::string out = "(";
    for (const std::string& word : type.words) {
        out += (out.size() > 1 ? ", " : "") + word;
    }
    return out + ")";
}

std::string text_of(const Type& type) {
    static constexpr std::array<std::string_view, 6> basic{"bool",   "int",    "float",
                                                           "string", "object", "any"};
    const std::string mark = type.optional ? "?" : "";
    switch (type.kind) {
    case Kind::boolean:
    case Kind::integer:
    case Kind::floating:
    case Kind::string:
    case Kind::object:
    case Kind::any:
        return mark + std::string{basic.at(static_cast<std::size_t>(type.kind))};
    case Kind::named:
        return mark + type.name;
    case Kind::structure:
        return mark + text_of_fields(type);
    case Kind::enumeration:
        return mark + text_of_words(type);
    case Kind::array:
        return mark + "[]" + text_of(type.element.front());
    case Kind::map:
        return mark + "[string]" + text_of(type.element.front());
    }
    return {};
}

std::string text_of(const Interface& interface) {
    std::string out = "interface " + interface.name() + '\n';
    for (const auto& [name, type] : interface.types()) {
        out += "type " + name + ' ' + text_of(type) + '\n';
    }
    for (const auto& method : interface.methods()) {
        out += "method " + method.name + text_of(method.input) + " -> " + text_of(method.output) +
               '\n';
    }
    for (const auto& [name, type] : interface.errors()) {
        out += "error " + name + ' ' + text_of(type) + '\n';
    }
    return out;
}

/// A value of the type; none where types hold each other for ever, or too deep.
std::optional<json::value> sample(const Interface& interface, const Type& type, int depth);

std::optional<json::object> sample_object(const Interface& interface, const Type& type, int depth) {
    json::object object;
    for (const protocol::Field& field : type.fields) {
        auto value = sample(interface, field.type, depth);
        if (!value) {
            return std::nullopt;
        }
        object[field.name] = *std::move(value);
    }
    return object;
}

std::optional<json::value> sample(const Interface& interface, const Type& type, int depth) {
    if (type.optional) {
        return json::value{};
    }
    if (depth == 0) {
        return std::nullopt;
    }
    switch (type.kind) {
    case Kind::boolean:
        return true;
    case Kind::integer:
        return -1;
    case Kind::floating:
        return 0.5;
    case Kind::string:
        return "text";
    case Kind::object:
    case Kind::any:
    case Kind::map:
        return json::object{};
    case Kind::named:
        return sample(interface, *interface.find_type(type.name), depth - 1);
    case Kind::structure:
        return sample_object(interface, type, depth - 1);
    case Kind::enumeration:
        return json::string{type.words.front()};
    case Kind::array:
        return json::array{};
    }
    return std::nullopt;
}

void check_values(const Interface& interface, const Type& structure) {
    constexpr int deepest = 6;
    auto object = sample_object(interface, structure, deepest);
    if (!object) {
        return;
    }
    require(!find_mismatch(interface, structure, *object), "what a type asks for fits it");
    (*object)["not a field's name"] = nullptr;
    require(find_mismatch(interface, structure, *object).has_value(),
            "what a type does not know does not fit it");
}

} // namespace

void run(std::string_view input) {
    const MemoryLimit limit{(64 << 10) + 1024 * input.size()};
    const auto interface = Interface::parse(input);
    if (!interface) {
        require(interface.error().message().find("line ") != std::string::npos,
                "a mistake's line is named");
        return;
    }
    require(interface->text() == input, "the text is kept as it was");
    const std::string written = text_of(*interface);
    const auto again = Interface::parse(written);
    require(again && text_of(*again) == written, "a definition means the same when written again");
    for (const auto& method : interface->methods()) {
        check_values(*interface, method.input);
        check_values(*interface, method.output);
    }
    for (const auto& error : interface->errors()) {
        check_values(*interface, error.type);
    }
}

} // namespace wharf::fuzz
