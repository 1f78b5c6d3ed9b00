#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Typed access to members of a message. Each throws Error (protocol), naming the member, when it
/// is missing or of another type; the `optional_` ones take a missing or null member for none.
namespace wharf::cli {

std::string text_member(const boost::json::object& object, std::string_view name);
std::optional<std::string> optional_text_member(const boost::json::object& object,
                                                std::string_view name);
bool flag_member(const boost::json::object& object, std::string_view name);
std::int64_t number_member(const boost::json::object& object, std::string_view name);

/// A number that is not negative.
std::uint64_t size_member(const boost::json::object& object, std::string_view name);

const boost::json::array& list_member(const boost::json::object& object, std::string_view name);
const boost::json::array* optional_list_member(const boost::json::object& object,
                                               std::string_view name);
const boost::json::object& object_member(const boost::json::object& object, std::string_view name);
const boost::json::object* optional_object_member(const boost::json::object& object,
                                                  std::string_view name);

/// An element of a list that must be an object.
const boost::json::object& as_object(const boost::json::value& value);

} // namespace wharf::cli
