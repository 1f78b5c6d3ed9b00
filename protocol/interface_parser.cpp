#include "protocol/interface_parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

// The grammar, from https://varlink.org/Interface-Definition; blanks and comments may stand between
// any two tokens:
//
//   interface = "interface" interface_name member*
//   member    = "type" Name (struct | enum) | "method" Name struct "->" struct | "error" Name
//   struct struct    = "(" [field ":" type ("," field ":" type)*] ")" enum      = "(" field (","
//   field)* ")" type      = ["?"] ("[]" type | "[string]" type | plain)      no "?" directly after
//   "?" plain     = "bool" | "int" | "float" | "string" | "object" | "any" | Name | struct | enum

namespace wharf::protocol {

namespace {

/// Types in types; keeps a hostile definition from using up the stack.
constexpr std::size_t depth_limit = 64;

bool is_alpha(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_alnum(char c) noexcept {
    return is_alpha(c) || (c >= '0' && c <= '9');
}
bool is_word(char c) noexcept {
    return is_alnum(c) || c == '_';
}

/// Letters and digits, with single `joint`s between them.
bool is_joined(std::string_view text, char joint) noexcept {
    bool after_joint = true; // none at the beginning
    for (const char c : text) {
        if (c == joint ? after_joint : !is_alnum(c)) {
            return false;
        }
        after_joint = c == joint;
    }
    return !text.empty() && !after_joint;
}

/// Reverse-domain form: at least two parts, the first beginning with a letter.
bool is_interface_name(std::string_view text) noexcept {
    if (text.empty() || !is_alpha(text.front())) {
        return false;
    }
    std::size_t parts = 0;
    while (true) {
        const std::size_t dot = text.find('.');
        const std::string_view part = text.substr(0, dot);
        // Unlike underscores in field names, hyphens may repeat inside a part.
        if (part.empty() || part.front() == '-' || part.back() == '-' ||
            !std::all_of(part.begin(), part.end(),
                         [](char c) { return is_alnum(c) || c == '-'; })) {
            return false;
        }
        ++parts;
        if (dot == std::string_view::npos) {
            return parts >= 2;
        }
        text.remove_prefix(dot + 1);
    }
}

bool is_member_name(std::string_view text) noexcept {
    return !text.empty() && text.front() >= 'A' && text.front() <= 'Z' &&
           std::all_of(text.begin(), text.end(), is_alnum);
}

bool is_field_name(std::string_view text) noexcept {
    return !text.empty() && is_alpha(text.front()) && is_joined(text, '_');
}

constexpr std::array<std::pair<std::string_view, Type::Kind>, 6> basic_types{{
    {"bool", Type::Kind::boolean},
    {"int", Type::Kind::integer},
    {"float", Type::Kind::floating},
    {"string", Type::Kind::string},
    {"object", Type::Kind::object},
    {"any", Type::Kind::any},
}};

Type type_of(Type::Kind kind) {
    Type type;
    type.kind = kind;
    return type;
}

} // namespace

std::string InterfaceParser::read_header() {
    if (take_word() != "interface") {
        fail("expected \"interface\"");
    }
    skip_space();
    const std::size_t begin = position_;
    while (position_ < text_.size() &&
           (is_alnum(text_[position_]) || text_[position_] == '.' || text_[position_] == '-')) {
        ++position_;
    }
    const std::string_view name = text_.substr(begin, position_ - begin);
    if (!is_interface_name(name)) {
        fail("expected the interface's name");
    }
    return std::string{name};
}

std::optional<InterfaceParser::Member> InterfaceParser::read_member() {
    skip_space();
    if (error_ || position_ == text_.size()) {
        return std::nullopt;
    }
    Member member{};
    const std::string_view keyword = take_word();
    if (keyword == "type") {
        member.kind = Member::Kind::type;
        member.name = read_member_name();
        member.type = read_struct_or_enum();
    } else if (keyword == "method") {
        member.kind = Member::Kind::method;
        member.name = read_member_name();
        member.type = read_structure();
        expect("->");
        member.output = read_structure();
    } else if (keyword == "error") {
        member.kind = Member::Kind::error;
        member.name = read_member_name();
        member.type = read_structure();
    } else {
        fail("expected \"type\", \"method\" or \"error\"");
    }
    return error_ ? std::nullopt : std::optional{std::move(member)};
}

void InterfaceParser::fail(std::string_view what) {
    if (!error_) {
        const auto read = text_.substr(0, position_);
        error_ = Error{ErrorKind::invalid_request,
                       fmt::format("interface definition, line {}: {}",
                                   1 + std::count(read.begin(), read.end(), '\n'), what)};
    }
    position_ = text_.size();
}

void InterfaceParser::skip_space() {
    while (position_ < text_.size()) {
        const char c = text_[position_];
        if (c == '#') {
            position_ = std::min(text_.find('\n', position_), text_.size());
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            ++position_;
        } else {
            return;
        }
    }
}

bool InterfaceParser::take(std::string_view token) {
    skip_space();
    if (!text_.substr(position_).starts_with(token)) {
        return false;
    }
    position_ += token.size();
    return true;
}

void InterfaceParser::expect(std::string_view token) {
    if (!take(token)) {
        fail(fmt::format("expected \"{}\"", token));
    }
}

std::string_view InterfaceParser::take_word() {
    skip_space();
    const std::size_t begin = position_;
    while (position_ < text_.size() && is_word(text_[position_])) {
        ++position_;
    }
    return text_.substr(begin, position_ - begin);
}

std::string InterfaceParser::read_member_name() {
    const std::string_view word = take_word();
    if (!is_member_name(word)) {
        fail("expected a name that begins with a capital letter");
    }
    return std::string{word};
}

std::string InterfaceParser::read_field_name() {
    const std::string_view word = take_word();
    if (!is_field_name(word)) {
        fail("expected the name of a field");
    }
    return std::string{word};
}

Type InterfaceParser::read_structure() {
    Type type = read_struct_or_enum();
    if (type.kind != Type::Kind::structure) {
        fail("expected fields with types");
    }
    return type;
}

Type InterfaceParser::read_struct_or_enum() {
    expect("(");
    if (take(")")) {
        return type_of(Type::Kind::structure);
    }
    std::string first = read_field_name();
    return take(":") ? read_struct_after(std::move(first)) : read_enum_after(std::move(first));
}

Type InterfaceParser::read_struct_after(std::string first) {
    Type type = type_of(Type::Kind::structure);
    std::string name = std::move(first);
    while (!error_) {
        const auto same = [&](const Field& field) { return field.name == name; };
        if (std::any_of(type.fields.begin(), type.fields.end(), same)) {
            fail(fmt::format("the field \"{}\" is there twice", name));
        }
        type.fields.push_back({std::move(name), read_type()});
        if (!take(",")) {
            expect(")");
            break;
        }
        name = read_field_name();
        expect(":");
    }
    return type;
}

Type InterfaceParser::read_enum_after(std::string first) {
    Type type = type_of(Type::Kind::enumeration);
    std::string word = std::move(first);
    while (!error_) {
        if (std::find(type.words.begin(), type.words.end(), word) != type.words.end()) {
            fail(fmt::format("the word \"{}\" is there twice", word));
        }
        type.words.push_back(std::move(word));
        if (!take(",")) {
            expect(")");
            break;
        }
        word = read_field_name();
    }
    return type;
}

Type InterfaceParser::read_type() {
    if (++depth_ > depth_limit) {
        fail("types are nested too deeply");
    }
    const bool optional = take("?");
    Type type;
    if (take("[]")) {
        read_element(type, Type::Kind::array);
    } else if (take("[string]")) {
        read_element(type, Type::Kind::map);
    } else {
        type = read_plain_type();
    }
    type.optional = optional;
    --depth_;
    return type;
}

void InterfaceParser::read_element(Type& type, Type::Kind kind) {
    type.kind = kind;
    if (!error_) {
        type.element.push_back(read_type());
    }
}

Type InterfaceParser::read_plain_type() {
    skip_space();
    if (text_.substr(position_).starts_with('(')) {
        return read_struct_or_enum();
    }
    const std::string_view word = take_word();
    for (const auto& [name, kind] : basic_types) {
        if (word == name) {
            return type_of(kind);
        }
    }
    if (!is_member_name(word)) {
        fail("expected a type");
    }
    Type type = type_of(Type::Kind::named);
    type.name = word;
    return type;
}

} // namespace wharf::protocol
