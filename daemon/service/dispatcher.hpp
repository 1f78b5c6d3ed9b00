#pragma once

#include "base/unique_fd.hpp"
#include "daemon/access/policy_refusal.hpp"
#include "daemon/async/awaitable.hpp"
#include "daemon/async/foreign_fd.hpp"
#include "daemon/service/call.hpp"
#include "protocol/interface.hpp"
#include "protocol/message.hpp"

#include <exception>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace wharf::service {

/// What GetInfo says.
struct ServiceInfo {
    std::string vendor;
    std::string product;
    std::string version;
    std::string url;
};

/// Ours, with the version of this build.
ServiceInfo wharf_service();

/// Answers a call. It may refer to the call until it returns.
using Handler = std::function<Awaitable<>(Call& call)>;

/// One row of the table of methods.
struct MethodRow {
    std::string name; ///< with its interface
    Handler handler;
    bool needs_more = false;        ///< answered ExpectedMore when called without
    bool takes_descriptors = false; ///< otherwise those that come along are closed at once
    bool is_quick = false; ///< waits for nobody, so those with too many calls may still call it
};

/// Finds the handler of a call, checks the parameters before it and turns what it throws into a
/// typed error: all that happens here and only here. Answers org.varlink.service itself. Filled
/// before the first call, unchanged after.
class Dispatcher {
  public:
    explicit Dispatcher(ServiceInfo info);
    Dispatcher(const Dispatcher&) = delete; // our own rows refer to us
    Dispatcher& operator=(const Dispatcher&) = delete;

    /// Offers an interface; its methods are answered MethodNotImplemented until they are added.
    /// Throws Error when the definition is wrong.
    void add_interface(std::string_view definition);

    /// Throws Error of kind internal when no interface that was added has the method.
    void add(MethodRow row);

    /// Is told what the rules of this machine refused, before the client is.
    using OnRefusal = std::function<void(const Call&, const access::PolicyRefusal&)>;
    void set_on_refusal(OnRefusal on_refusal) { on_refusal_ = std::move(on_refusal); }

    /// Whether any method does.
    bool takes_descriptors() const noexcept { return takes_descriptors_; }

    /// Whether a call of the method may take long; one that there is not does not.
    bool may_take_long(std::string_view method) const;

    /// Answers one call. Throws only when the answer could not be sent. Requires: all outlives it.
    Awaitable<> dispatch(Caller caller, protocol::Call message,
                         std::vector<async::ForeignFd> descriptors, MessageStream& stream) const;

  private:
    struct Entry {
        protocol::Interface definition;
        std::map<std::string, MethodRow, std::less<>> rows; ///< by the method's own name
    };
    /// Where a call goes; without a row, `refusal` says why not.
    struct Target {
        const Entry* entry = nullptr;
        const protocol::Method* method = nullptr;
        const MethodRow* row = nullptr;
        protocol::Reply refusal;
    };

    Target find(const protocol::Call& message) const;
    protocol::Reply to_reply(const Call& call, const std::exception_ptr& failure) const;
    static Awaitable<> invoke(const MethodRow& row, Call& call);
    Awaitable<> answer_info(Call& call) const;
    Awaitable<> answer_description(Call& call) const;

    ServiceInfo info_;
    std::map<std::string, Entry, std::less<>> interfaces_;
    std::vector<std::string> names_; ///< of the interfaces, in the order they were added
    bool takes_descriptors_ = false;
    OnRefusal on_refusal_;
};

/// The typed error that says `error` on the socket.
protocol::Reply error_reply(const Error& error);

} // namespace wharf::service
