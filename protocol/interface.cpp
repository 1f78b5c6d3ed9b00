#include "protocol/interface.hpp"

#include "protocol/interface_parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace wharf::protocol {

namespace {

template <typename T>
const T* find(const std::vector<T>& list, std::string_view name) noexcept {
    const auto found = std::find_if(list.begin(), list.end(),
                                    [&](const T& member) { return member.name == name; });
    return found == list.end() ? nullptr : &*found;
}

/// The first type that is named but not defined; empty when there is none.
std::string_view missing_type(const Interface& interface, const Type& type) noexcept {
    if (type.kind == Type::Kind::named && interface.find_type(type.name) == nullptr) {
        return type.name;
    }
    for (const Type& element : type.element) {
        if (const auto missing = missing_type(interface, element); !missing.empty()) {
            return missing;
        }
    }
    for (const Field& field : type.fields) {
        if (const auto missing = missing_type(interface, field.type); !missing.empty()) {
            return missing;
        }
    }
    return {};
}

} // namespace

Result<Interface> Interface::parse(std::string_view text) {
    Interface result;
    result.text_ = text;
    InterfaceParser parser{text};
    result.name_ = parser.read_header();
    while (auto member = parser.read_member()) {
        if (result.find_type(member->name) != nullptr ||
            result.find_method(member->name) != nullptr ||
            result.find_error(member->name) != nullptr) {
            parser.fail(fmt::format("\"{}\" is there twice", member->name));
        } else if (member->kind == InterfaceParser::Member::Kind::method) {
            result.methods_.push_back(
                {std::move(member->name), std::move(member->type), std::move(member->output)});
        } else {
            auto& list = member->kind == InterfaceParser::Member::Kind::type ? result.types_
                                                                             : result.errors_;
            list.push_back({std::move(member->name), std::move(member->type)});
        }
    }
    std::vector<const Type*> used;
    for (const NamedType& type : result.types_) {
        used.push_back(&type.type);
    }
    for (const ErrorType& error : result.errors_) {
        used.push_back(&error.type);
    }
    for (const Method& method : result.methods_) {
        used.push_back(&method.input);
        used.push_back(&method.output);
    }
    for (const Type* type : used) {
        if (const auto missing = missing_type(result, *type); !missing.empty()) {
            parser.fail(fmt::format("there is no type \"{}\"", missing));
        }
    }
    if (parser.error()) {
        return *parser.error();
    }
    return result;
}

const Type* Interface::find_type(std::string_view name) const noexcept {
    const NamedType* found = find(types_, name);
    return found == nullptr ? nullptr : &found->type;
}

const Method* Interface::find_method(std::string_view name) const noexcept {
    return find(methods_, name);
}

const Type* Interface::find_error(std::string_view name) const noexcept {
    const ErrorType* found = find(errors_, name);
    return found == nullptr ? nullptr : &found->type;
}

} // namespace wharf::protocol
