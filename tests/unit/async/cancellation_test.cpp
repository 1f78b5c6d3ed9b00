#include "base/error.hpp"
#include "daemon/async/cancellation.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <doctest/doctest.h>

#include <stdexcept>

using boost::system::system_error;
using wharf::Error;
using wharf::ErrorKind;
using wharf::async::is_cancellation;

namespace {

template <typename Failure>
bool cancels(Failure failure) {
    return is_cancellation(std::make_exception_ptr(std::move(failure)));
}

} // namespace

TEST_CASE("a stop that was asked for is told apart from failures") {
    CHECK(cancels(system_error{boost::asio::error::operation_aborted}));
    CHECK(cancels(Error{ErrorKind::cancelled, "stop"}));
    CHECK_FALSE(cancels(system_error{boost::asio::error::connection_reset}));
    CHECK_FALSE(cancels(Error{ErrorKind::network, "reset"}));
    CHECK_FALSE(cancels(std::runtime_error{"other"}));
    CHECK_FALSE(cancels(7));
}
