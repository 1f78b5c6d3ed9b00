#pragma once

#include "base/secret.hpp"
#include "base/unique_fd.hpp"
#include "daemon/access/peer.hpp"
#include "daemon/access/policy.hpp"
#include "daemon/async/awaitable.hpp"
#include "daemon/async/foreign_fd.hpp"
#include "protocol/interface.hpp"
#include "protocol/message.hpp"

#include <boost/json/object.hpp>

#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wharf::service {

class MessageStream;

/// Thrown by a handler to answer with a typed error that no Error stands for.
class TypedError : public std::exception {
  public:
    explicit TypedError(std::string name, boost::json::object parameters = {})
        : name_{std::move(name)}, parameters_{std::move(parameters)} {}

    const std::string& name() const noexcept { return name_; }
    const boost::json::object& parameters() const noexcept { return parameters_; }
    const char* what() const noexcept override { return name_.c_str(); }

  private:
    std::string name_;
    boost::json::object parameters_;
};

/// For a value that is of the right type and still cannot be. Where a sentence helps more than the
/// parameter's name, throw Error instead.
TypedError invalid_parameter(std::string_view parameter);

/// Who calls, and what he may do at this moment.
struct Caller {
    const access::Peer& peer;
    access::Rights rights;
};

/// One call as its handler sees it. A handler answers with reply() once, last; before that, with
/// reply_more() as often as it likes. What it throws becomes a typed error. When the client goes
/// away, the handler is cancelled at its next wait. Replies return when the kernel has taken
/// them, so a slow client slows its own handler and nothing else.
class Call {
  public:
    /// Made by the dispatcher, with parameters that fit the method. Refers to all but the message.
    Call(Caller caller, MessageStream& stream, const protocol::Interface& interface,
         const protocol::Method& method, protocol::Call message,
         std::vector<async::ForeignFd> descriptors);

    const access::Peer& peer() const noexcept { return caller_.peer; }
    /// As they were when the call began.
    access::Rights rights() const noexcept { return caller_.rights; }
    const std::string& method() const noexcept { return message_.method; }
    const boost::json::object& parameters() const noexcept { return message_.parameters; }
    /// Takes a text out of the parameters, so that it is not kept for as long as the call lasts;
    /// none when it is absent or null.
    std::optional<Secret> take_secret(std::string_view parameter);
    bool wants_more() const noexcept { return message_.more && !message_.oneway; }
    /// What came with the call; indexes in parameters refer to this list. Kept until the call ends,
    /// or taken by the handler. Empty for methods that are not registered to take any.
    std::vector<async::ForeignFd>& descriptors() noexcept { return descriptors_; }

    /// The answer. Its descriptors are closed here when they are sent. Throws Error of kind
    /// internal when it does not fit the method's definition, network when the client is gone.
    Awaitable<> reply(boost::json::object parameters = {}, std::vector<UniqueFd> descriptors = {});

    /// An answer that others follow. Does nothing when the client did not ask for more than one.
    Awaitable<> reply_more(boost::json::object parameters, std::vector<UniqueFd> descriptors = {});

    /// Waits until it is the caller's turn again. For handlers to call, once they have waited for
    /// something, before work that takes long.
    Awaitable<> turn();

    /// Whether reply() has been called.
    bool is_answered() const noexcept { return answered_; }

  private:
    Awaitable<> send(protocol::Reply reply, std::vector<UniqueFd> descriptors);

    Caller caller_;
    MessageStream& stream_;
    const protocol::Interface& interface_;
    const protocol::Method& definition_;
    protocol::Call message_;
    std::vector<async::ForeignFd> descriptors_;
    bool answered_ = false;
};

} // namespace wharf::service
