#include "client/lib/errors.hpp"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <utility>

namespace wharf::client {

namespace {

std::string text_of(const boost::json::object& parameters, std::string_view member) {
    const boost::json::value* value = parameters.if_contains(member);
    return value != nullptr && value->is_string() ? std::string{value->get_string()}
                                                  : std::string{};
}

} // namespace

RemoteError::RemoteError(std::string name, boost::json::object parameters)
    : name_{std::move(name)}, parameters_{std::move(parameters)},
      message_{text_of(parameters_, "message")}, hint_{text_of(parameters_, "hint")} {
    if (message_.empty()) {
        message_ =
            fmt::format("the daemon answered {} {}", name_, boost::json::serialize(parameters_));
    }
}

} // namespace wharf::client
