#pragma once

#include "protocol/interface.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <string>

namespace wharf::protocol {

/// What keeps an object from being of a type.
struct Mismatch {
    std::string parameter; ///< the member of the object that is to blame, or holds what is
    std::string detail;    ///< "files[2] is not a string", for logs
};

/// The first mismatch of an object with a structure of an interface: a member that is not in the
/// type, is missing, or has a value that is not of its type. Null and absence are the same, for
/// optional members. Integers are JSON numbers without fraction or exponent in 64 bits with
/// sign; strings hold no NUL, for many become paths, and are UTF-8.
std::optional<Mismatch> find_mismatch(const Interface& interface, const Type& structure,
                                      const boost::json::object& object);

} // namespace wharf::protocol
