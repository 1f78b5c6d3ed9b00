#include "daemon/service/dispatcher.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "daemon/service/message_stream.hpp"
#include "protocol/definitions.hpp"
#include "protocol/error_names.hpp"
#include "protocol/utf8.hpp"
#include "protocol/validate.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <optional>
#include <utility>

namespace wharf::service {

namespace {

namespace json = boost::json;

protocol::Reply standard_error(std::string_view name, std::string_view parameter,
                               std::string_view value) {
    return {json::object{{parameter, value}}, false, std::string{name}};
}

/// "org.wharf.Jobs.List" is the method "List" of the interface "org.wharf.Jobs".
std::pair<std::string_view, std::string_view> split(std::string_view method) noexcept {
    const std::size_t dot = method.rfind('.');
    return dot == std::string_view::npos ? std::pair{method, std::string_view{}}
                                         : std::pair{method.substr(0, dot), method.substr(dot + 1)};
}

protocol::Reply unknown_failure(const Call& call, std::string_view what) {
    log::error("service", "{} of uid {} failed: {}", call.method(), call.peer().uid, what);
    return error_reply(Error{ErrorKind::internal, "something went wrong inside the daemon",
                             "its log says more; ask the administrator"});
}

} // namespace

ServiceInfo wharf_service() {
    return {"wharf", "wharf", std::string{protocol::version()}, "https://wharf.example"};
}

protocol::Reply error_reply(const Error& error) {
    return {json::object{{"message", protocol::to_utf8(error.message())},
                         {"hint", protocol::to_utf8(error.hint())}},
            false, std::string{protocol::error_name(error.kind())}};
}

Dispatcher::Dispatcher(ServiceInfo info) : info_{std::move(info)} {
    add_interface(protocol::definitions().front());
    add({.name = "org.varlink.service.GetInfo",
         .handler = [this](Call& call) { return answer_info(call); },
         .is_quick = true});
    add({.name = "org.varlink.service.GetInterfaceDescription",
         .handler = [this](Call& call) { return answer_description(call); },
         .is_quick = true});
}

void Dispatcher::add_interface(std::string_view definition) {
    protocol::Interface parsed = protocol::Interface::parse(definition).value();
    std::string name = parsed.name();
    if (interfaces_.try_emplace(name, Entry{std::move(parsed), {}}).second) {
        names_.push_back(std::move(name));
    }
}

void Dispatcher::add(MethodRow row) {
    const auto [interface, name] = split(row.name);
    const auto found = interfaces_.find(interface);
    if (found == interfaces_.end() || found->second.definition.find_method(name) == nullptr) {
        throw Error{ErrorKind::internal, "no interface defines the method " + row.name};
    }
    takes_descriptors_ = takes_descriptors_ || row.takes_descriptors;
    found->second.rows.insert_or_assign(std::string{name}, std::move(row));
}

Dispatcher::Target Dispatcher::find(const protocol::Call& message) const {
    Target target;
    const auto [interface, name] = split(message.method);
    const auto found = interfaces_.find(interface);
    if (found == interfaces_.end()) {
        target.refusal = standard_error(protocol::interface_not_found, "interface", interface);
        return target;
    }
    const Entry& entry = found->second;
    target.entry = &entry;
    target.method = entry.definition.find_method(name);
    const auto row = entry.rows.find(name);
    if (target.method == nullptr) {
        target.refusal = standard_error(protocol::method_not_found, "method", message.method);
    } else if (row == entry.rows.end() || message.upgrade) { // nothing of ours can be upgraded
        target.refusal = standard_error(protocol::method_not_implemented, "method", message.method);
    } else if (const auto wrong = protocol::find_mismatch(entry.definition, target.method->input,
                                                          message.parameters)) {
        log::debug("service", "{}: {}", message.method, wrong->detail);
        target.refusal = standard_error(protocol::invalid_parameter, "parameter", wrong->parameter);
    } else if (row->second.needs_more && (!message.more || message.oneway)) {
        target.refusal = {{}, false, std::string{protocol::expected_more}};
    } else {
        target.row = &row->second;
    }
    return target;
}

bool Dispatcher::may_take_long(std::string_view method) const {
    const auto [interface, name] = split(method);
    const auto entry = interfaces_.find(interface);
    if (entry == interfaces_.end()) {
        return false;
    }
    const auto row = entry->second.rows.find(name);
    return row != entry->second.rows.end() && !row->second.is_quick;
}

Awaitable<> Dispatcher::dispatch(Caller caller, protocol::Call message,
                                 std::vector<async::ForeignFd> descriptors,
                                 MessageStream& stream) const {
    const bool oneway = message.oneway;
    Target target = find(message);
    std::optional<protocol::Reply> failure;
    if (target.row == nullptr) {
        failure = std::move(target.refusal);
        descriptors.clear();
    } else {
        if (!target.row->takes_descriptors) {
            descriptors.clear();
        }
        Call call{caller,
                  stream,
                  target.entry->definition,
                  *target.method,
                  std::move(message),
                  std::move(descriptors)};
        try {
            co_await invoke(*target.row, call);
        } catch (...) { // becomes an answer, below: none can be awaited in here
            failure = to_reply(call, std::current_exception());
        }
        if (call.is_answered()) {
            co_return;
        }
    }
    if (!failure || oneway || stream.is_broken()) {
        co_return;
    }
    std::string text = protocol::encode(*failure);
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
        stream.try_send(text); // no wait would be allowed any more
        co_return;
    }
    co_await stream.send(std::move(text), {});
}

/// What a handler threw, as an answer. `failure` is not null.
protocol::Reply Dispatcher::to_reply(const Call& call, const std::exception_ptr& failure) const {
    try {
        std::rethrow_exception(failure);
    } catch (const access::PolicyRefusal& refusal) {
        if (on_refusal_) {
            on_refusal_(call, refusal);
        }
        return error_reply(refusal);
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::internal) {
            return unknown_failure(call, error.message());
        }
        log::debug("service", "{} of uid {}: {}", call.method(), call.peer().uid, error.message());
        return error_reply(error);
    } catch (const TypedError& error) {
        return {error.parameters(), false, error.name()};
    } catch (const boost::system::system_error& error) {
        if (error.code() == asio::error::operation_aborted) {
            // Of the two reasons to cancel a call, only one leaves somebody to read this.
            return error_reply(Error{ErrorKind::cancelled,
                                     "the daemon stopped before the call was done",
                                     "try again when it runs; complete files are kept"});
        }
        return unknown_failure(call, error.what());
    } catch (const std::exception& error) {
        return unknown_failure(call, error.what());
    } catch (...) { // the client waits for an answer, whatever it was
        return unknown_failure(call, "unknown exception");
    }
}

Awaitable<> Dispatcher::invoke(const MethodRow& row, Call& call) {
    co_await row.handler(call);
    if (!call.is_answered()) {
        throw Error{ErrorKind::internal, "the handler gave no answer"};
    }
}

Awaitable<> Dispatcher::answer_info(Call& call) const {
    json::object reply{{"vendor", info_.vendor},
                       {"product", info_.product},
                       {"version", info_.version},
                       {"url", info_.url},
                       {"interfaces", json::array(names_.begin(), names_.end())}};
    co_await call.reply(std::move(reply));
}

Awaitable<> Dispatcher::answer_description(Call& call) const {
    const std::string_view name = call.parameters().at("interface").as_string();
    const auto found = interfaces_.find(name);
    if (found == interfaces_.end()) {
        throw TypedError{std::string{protocol::interface_not_found}, {{"interface", name}}};
    }
    json::object reply{{"description", found->second.definition.text()}};
    co_await call.reply(std::move(reply));
}

} // namespace wharf::service
