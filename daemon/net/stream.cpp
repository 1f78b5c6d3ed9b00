#include "daemon/net/stream.hpp"

#include <fmt/format.h>

namespace wharf::net {

Deadline Deadline::after(std::chrono::milliseconds limit, std::string_view step) {
    return Deadline{
        .at = std::chrono::steady_clock::now() + limit, .limit = limit, .step = step, .moved = 0};
}

Error Deadline::error(std::string_view peer) const {
    const auto count = limit.count();
    const std::string span = count >= 1000 && count % 1000 == 0 ? fmt::format("{} s", count / 1000)
                                                                : fmt::format("{} ms", count);
    const std::string what = moved == 0 ? fmt::format(" timed out after {}", span)
                                        : fmt::format(": only {} bytes in {}", moved, span);
    return Error{ErrorKind::network, fmt::format("{} {}{}", step, peer, what)};
}

} // namespace wharf::net
