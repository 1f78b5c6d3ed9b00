#pragma once

#include "base/error.hpp"

#include <boost/json/object.hpp>

#include <cstddef>
#include <string>
#include <string_view>

/// The messages of the Varlink protocol (https://varlink.org/Method-Call) as text and back.
namespace wharf::protocol {

namespace json = boost::json;

/// The most members that all objects of a call may have together: a bound on the work that a text
/// made to collide in hash tables can cause.
inline constexpr std::size_t call_member_limit = 65'536;

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
/// are passed over.
Result<Call> decode_call(std::string_view text);
Result<Reply> decode_reply(std::string_view text);

} // namespace wharf::protocol
