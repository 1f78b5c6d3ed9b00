#include "protocol/message.hpp"

#include "base/secret.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <optional>
#include <utility>

// Boost.JSON keeps the last of two members with the same name, silently. Who checks a text by its
// first and acts on its last can be fooled, so such texts are refused: a valid text has one colon
// outside of strings per member, and a tree that lost a duplicate has fewer members than that.

namespace wharf::protocol {

namespace {

/// How often a character that is none in strings comes outside of them.
std::size_t count_outside_strings(std::string_view text, char wanted) noexcept {
    std::size_t count = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (in_string && text[i] == '\\') {
            ++i;
        } else if (text[i] == '"') {
            in_string = !in_string;
        } else if (!in_string && text[i] == wanted) {
            ++count;
        }
    }
    return count;
}

std::size_t count_members(const json::value& value) noexcept {
    std::size_t count = 0;
    if (const json::object* object = value.if_object()) {
        count = object->size();
        for (const auto& member : *object) {
            count += count_members(member.value());
        }
    } else if (const json::array* array = value.if_array()) {
        for (const json::value& element : *array) {
            count += count_members(element);
        }
    }
    return count;
}

/// Boost.JSON reads a number that is too large as infinity, which no JSON text can say again.
bool has_infinity(const json::value& value) noexcept {
    const auto in_member = [](const auto& member) { return has_infinity(member.value()); };
    if (const json::object* object = value.if_object()) {
        return std::ranges::any_of(*object, in_member);
    }
    if (const json::array* array = value.if_array()) {
        return std::ranges::any_of(*array, has_infinity);
    }
    return value.is_double() && std::isinf(value.get_double());
}

Error malformed(std::string_view why) {
    return Error{ErrorKind::protocol, fmt::format("a message is malformed: {}", why)};
}

/// Memory that is wiped when it is given back: there are tokens in calls.
class WipedMemory final : public json::memory_resource {
    void* do_allocate(std::size_t bytes, std::size_t) override { // JSON wants no wide alignment
        return ::operator new(bytes);
    }
    void do_deallocate(void* memory, std::size_t bytes, std::size_t) override {
        wipe(memory, bytes);
        ::operator delete(memory);
    }
    bool do_is_equal(const json::memory_resource& other) const noexcept override {
        return this == &other;
    }
};

WipedMemory wiped_memory; // has no state

Result<json::object> parse_object(std::string_view text, std::size_t limit,
                                  json::storage_ptr memory = {}) {
    const std::size_t written = count_outside_strings(text, ':');
    if (written > limit || count_outside_strings(text, ',') > limit) {
        return malformed("too many members or elements");
    }
    boost::system::error_code ec;
    json::value value = json::parse(text, ec, std::move(memory));
    if (ec) {
        return malformed(ec.message());
    }
    if (!value.is_object()) {
        return malformed("not an object");
    }
    if (count_members(value) != written) {
        return malformed("a member is there twice");
    }
    if (has_infinity(value)) {
        return malformed("a number is too large");
    }
    return std::move(value.get_object());
}

/// Takes members out of a message, null being as good as absent, and remembers the first one that
/// has the wrong type.
class Members {
  public:
    explicit Members(json::object message) : message_{std::move(message)} {}

    std::string text(std::string_view name) {
        const json::value* value = find(name);
        if (value != nullptr && !value->is_string()) {
            fail(name, "a string");
            return {};
        }
        return value == nullptr ? std::string{} : std::string{value->get_string()};
    }

    bool flag(std::string_view name) {
        const json::value* value = find(name);
        if (value != nullptr && !value->is_bool()) {
            fail(name, "true or false");
            return false;
        }
        return value != nullptr && value->get_bool();
    }

    json::object object(std::string_view name) {
        json::value* value = find(name);
        if (value != nullptr && !value->is_object()) {
            fail(name, "an object");
            return {};
        }
        return value == nullptr ? json::object{} : std::move(value->get_object());
    }

    const std::optional<Error>& error() const noexcept { return error_; }

  private:
    json::value* find(std::string_view name) {
        json::value* value = message_.if_contains(name);
        return value == nullptr || value->is_null() ? nullptr : value;
    }
    void fail(std::string_view name, std::string_view wanted) {
        if (!error_) {
            error_ = malformed(fmt::format("\"{}\" is not {}", name, wanted));
        }
    }

    json::object message_;
    std::optional<Error> error_;
};

std::string finished(json::object message) {
    std::string text = json::serialize(message);
    text.push_back('\0');
    return text;
}

} // namespace

std::string encode(const Call& call) {
    json::object message{{"method", call.method}};
    if (!call.parameters.empty()) {
        message["parameters"] = call.parameters;
    }
    if (call.oneway) {
        message["oneway"] = true;
    }
    if (call.more) {
        message["more"] = true;
    }
    if (call.upgrade) {
        message["upgrade"] = true;
    }
    return finished(std::move(message));
}

std::string encode(const Reply& reply) {
    json::object message;
    if (!reply.error.empty()) {
        message["error"] = reply.error;
    }
    message["parameters"] = reply.parameters;
    if (reply.continues) {
        message["continues"] = true;
    }
    return finished(std::move(message));
}

Result<Call> decode_call(std::string_view text) {
    Result<json::object> message = parse_object(text, call_value_limit, &wiped_memory);
    if (!message) {
        return message.error();
    }
    Members members{std::move(*message)};
    Call call{members.text("method"), members.object("parameters"), members.flag("oneway"),
              members.flag("more"), members.flag("upgrade")};
    if (members.error()) {
        return *members.error();
    }
    if (call.method.empty()) {
        return malformed("no method is named");
    }
    return call;
}

Result<Reply> decode_reply(std::string_view text) {
    Result<json::object> message = parse_object(text, std::numeric_limits<std::size_t>::max());
    if (!message) {
        return message.error();
    }
    Members members{std::move(*message)};
    Reply reply{members.object("parameters"), members.flag("continues"), members.text("error")};
    if (members.error()) {
        return *members.error();
    }
    return reply;
}

} // namespace wharf::protocol
