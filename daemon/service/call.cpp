#include "daemon/service/call.hpp"

#include "base/error.hpp"
#include "daemon/service/message_stream.hpp"
#include "protocol/error_names.hpp"
#include "protocol/validate.hpp"

#include <cassert>

namespace wharf::service {

TypedError invalid_parameter(std::string_view parameter) {
    return TypedError{std::string{protocol::invalid_parameter}, {{"parameter", parameter}}};
}

Call::Call(Caller caller, MessageStream& stream, const protocol::Interface& interface,
           const protocol::Method& method, protocol::Call message,
           std::vector<async::ForeignFd> descriptors)
    : caller_{caller}, stream_{stream}, interface_{interface}, definition_{method},
      message_{std::move(message)}, descriptors_{std::move(descriptors)} {}

std::optional<Secret> Call::take_secret(std::string_view parameter) {
    auto* value = message_.parameters.if_contains(parameter);
    if (value == nullptr || value->is_null()) {
        return std::nullopt;
    }
    auto& text = value->as_string();
    std::optional<Secret> secret{std::in_place, std::string_view{text}};
    wipe(text.data(), text.size());
    message_.parameters.erase(parameter);
    return secret;
}

Awaitable<> Call::reply(boost::json::object parameters, std::vector<UniqueFd> descriptors) {
    protocol::Reply reply{std::move(parameters), false, {}};
    co_await send(std::move(reply), std::move(descriptors));
}

Awaitable<> Call::reply_more(boost::json::object parameters, std::vector<UniqueFd> descriptors) {
    if (wants_more()) {
        protocol::Reply reply{std::move(parameters), true, {}};
        co_await send(std::move(reply), std::move(descriptors));
    }
}

Awaitable<> Call::turn() {
    co_await stream_.turn();
}

Awaitable<> Call::send(protocol::Reply reply, std::vector<UniqueFd> descriptors) {
    assert(!answered_);
    if (const auto wrong =
            protocol::find_mismatch(interface_, definition_.output, reply.parameters)) {
        throw Error{ErrorKind::internal, "our answer does not fit: " + wrong->detail};
    }
    std::string text = protocol::encode(reply);
    if (text.size() > protocol::message_limit) {
        throw Error{ErrorKind::internal, "our answer is over the size limit"};
    }
    answered_ = !reply.continues;
    reply.parameters = {}; // not held beside its text while a slow client reads
    if (!message_.oneway) {
        co_await stream_.send(std::move(text), std::move(descriptors));
    }
}

} // namespace wharf::service
