#include "daemon/transfer/rate_gate.hpp"

#include "base/digest.hpp"
#include "base/log.hpp"
#include "base/units.hpp"
#include "daemon/async/event.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace wharf::transfer {

std::string RateGate::key(const std::string& host, const hub::Token& token) {
    // The token itself is kept nowhere but with the request that brought it.
    return host + ' ' + (token.empty() ? std::string{} : sha256_hex(token.reveal()));
}

Awaitable<> RateGate::pass(std::string host, hub::Token token, std::shared_ptr<WaitNote> note,
                           std::chrono::seconds longest) {
    if (closed_until_.empty()) {
        co_return;
    }
    const std::string place = key(host, token);
    for (;;) {
        const auto entry = closed_until_.find(place);
        const auto now = Clock::now();
        if (entry == closed_until_.end()) {
            co_return;
        }
        if (entry->second <= now) {
            closed_until_.erase(entry);
            co_return;
        }
        const auto left = entry->second - now;
        // Rounded down: learning from this error must not close the gate for longer.
        if (const auto asked = std::chrono::floor<std::chrono::seconds>(left); asked > longest) {
            Error error{ErrorKind::rate_limited,
                        fmt::format("{} asked to wait {}", host, format_duration(asked)),
                        "try again later, or use a token: its limits are higher"};
            throw error.set_retry_after(asked);
        }
        note->reason = fmt::format("{} asked to wait {}", host,
                                   format_duration(std::chrono::ceil<std::chrono::seconds>(left)));
        // In steps, so that the reason counts down and a clock jump cannot make it endless.
        co_await async::sleep_for(std::min<Clock::duration>(left, std::chrono::seconds{1}));
        note->reason.clear();
    }
}

bool RateGate::is_closed(const std::string& host, const hub::Token& token) const {
    if (closed_until_.empty()) {
        return false;
    }
    const auto entry = closed_until_.find(key(host, token));
    return entry != closed_until_.end() && entry->second > Clock::now();
}

void RateGate::learn(const std::string& host, const hub::Token& token, const Error& error) {
    if (error.kind() != ErrorKind::rate_limited || !error.retry_after()) {
        return;
    }
    auto& until = closed_until_[key(host, token)];
    const auto wanted = Clock::now() + *error.retry_after();
    if (wanted <= until) {
        return; // known already
    }
    until = wanted;
    log::warning("transfer", "{} asked to wait {}", host, format_duration(*error.retry_after()));
}

} // namespace wharf::transfer
