#include "daemon/async/cancellation.hpp"

#include "base/error.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

namespace wharf::async {

bool is_cancellation(const std::exception_ptr& failure) noexcept {
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        return error.code() == boost::asio::error::operation_aborted;
    } catch (const Error& error) {
        return error.kind() == ErrorKind::cancelled;
    } catch (...) { // any other kind is a failure
        return false;
    }
}

} // namespace wharf::async
