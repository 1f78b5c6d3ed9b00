#include "daemon/net/stream.hpp"

#include <fmt/format.h>

namespace wharf::net {

Deadline Deadline::after(std::chrono::milliseconds limit, std::string_view step) {
    return Deadline{std::chrono::steady_clock::now() + limit, limit, step};
}

Error Deadline::error(std::string_view peer) const {
    const auto count = limit.count();
    const std::string span = count >= 1000 && count % 1000 == 0 ? fmt::format("{} s", count / 1000)
                                                                : fmt::format("{} ms", count);
    return Error{ErrorKind::network, fmt::format("{} {} timed out after {}", step, peer, span)};
}

} // namespace wharf::net
