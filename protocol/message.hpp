#pragma once

#include "base/error.hpp"

#include <boost/json/object.hpp>

#include <cstddef>
#include <string>
#include <string_view>

/// The messages of the Varlink protocol (https://varlink.org/Method-Call) as text and back.
namespace wharf::protocol {

namespace json = boost::json;

/// The most members of objects, and the most elements of lists and objects, that a call may have
/// altogether: a bound on the work that a text made to collide in hash tables can cause, and on the
/// memory that a short text can need when it is parsed.
inline constexpr std::size_t call_value_limit = 65'536;

/// What a client asks.
struct Call {
    std::string method; ///< with its interface: "org.wharf.Jobs.List"
    json::object parameters;
    bool oneway = false;  ///< no answer is wanted
    bool more = false;    ///< several answers are welcome
    bool upgrade = false; ///< wants to speak another protocol afterwards
};

/// What a service answers.
struct Reply {
    json::object parameters;
    bool continues = false; ///< more answers follow
    std::string error;      ///< the name of a typed error; empty: none
};

/// The message with its final NUL.
std::string encode(const Call& call);
std::string encode(const Reply& reply);

/// Errors: protocol, when the text is not JSON (strictly: UTF-8, no member named twice, 32 levels
/// at most, no number beyond a double's range) or not such a message. Members that we do not know
/// are passed over. The memory of a call's parameters is wiped when they end; copies are not.
Result<Call> decode_call(std::string_view text);
Result<Reply> decode_reply(std::string_view text);

} // namespace wharf::protocol
