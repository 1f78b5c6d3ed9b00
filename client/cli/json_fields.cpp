#include "client/cli/json_fields.hpp"

#include "base/error.hpp"

#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace wharf::cli {

namespace {

namespace json = boost::json;

Error bad_member(std::string_view name, std::string_view expected) {
    return Error{ErrorKind::protocol,
                 fmt::format("the daemon's answer has no {} '{}'", expected, name),
                 "the versions of command and daemon may differ: see `wharf version`"};
}

/// The member, null when it is missing or null itself.
const json::value* find(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    return value && !value->is_null() ? value : nullptr;
}

} // namespace

std::string text_member(const json::object& object, std::string_view name) {
    auto text = optional_text_member(object, name);
    if (!text) {
        throw bad_member(name, "text");
    }
    return std::move(*text);
}

std::optional<std::string> optional_text_member(const json::object& object, std::string_view name) {
    const json::value* value = find(object, name);
    if (!value) {
        return std::nullopt;
    }
    const json::string* text = value->if_string();
    if (!text) {
        throw bad_member(name, "text");
    }
    return std::string{text->data(), text->size()};
}

bool flag_member(const json::object& object, std::string_view name) {
    const json::value* value = find(object, name);
    const bool* flag = value ? value->if_bool() : nullptr;
    if (!flag) {
        throw bad_member(name, "flag");
    }
    return *flag;
}

std::int64_t number_member(const json::object& object, std::string_view name) {
    const json::value* value = find(object, name);
    const std::int64_t* number = value ? value->if_int64() : nullptr;
    if (!number) {
        throw bad_member(name, "number");
    }
    return *number;
}

std::uint64_t size_member(const json::object& object, std::string_view name) {
    const std::int64_t number = number_member(object, name);
    if (number < 0) {
        throw bad_member(name, "size");
    }
    return static_cast<std::uint64_t>(number);
}

const json::array& list_member(const json::object& object, std::string_view name) {
    const json::array* list = optional_list_member(object, name);
    if (!list) {
        throw bad_member(name, "list");
    }
    return *list;
}

const json::array* optional_list_member(const json::object& object, std::string_view name) {
    const json::value* value = find(object, name);
    if (!value) {
        return nullptr;
    }
    const json::array* list = value->if_array();
    if (!list) {
        throw bad_member(name, "list");
    }
    return list;
}

const json::object& object_member(const json::object& object, std::string_view name) {
    const json::object* member = optional_object_member(object, name);
    if (!member) {
        throw bad_member(name, "object");
    }
    return *member;
}

const json::object* optional_object_member(const json::object& object, std::string_view name) {
    const json::value* value = find(object, name);
    if (!value) {
        return nullptr;
    }
    const json::object* member = value->if_object();
    if (!member) {
        throw bad_member(name, "object");
    }
    return member;
}

const json::object& as_object(const json::value& value) {
    const json::object* object = value.if_object();
    if (!object) {
        throw bad_member("list element", "object");
    }
    return *object;
}

} // namespace wharf::cli
