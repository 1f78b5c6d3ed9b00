#include "daemon/scheduling/retry.hpp"

#include <algorithm>

namespace wharf::scheduling {

namespace {

bool may_heal(ErrorKind kind) noexcept {
    switch (kind) {
    case ErrorKind::rate_limited:
    case ErrorKind::network:
    case ErrorKind::unavailable:
    case ErrorKind::protocol: // one garbled answer, for instance from a proxy, proves nothing
        return true;
    case ErrorKind::invalid_request:
    case ErrorKind::repo_not_found:
    case ErrorKind::revision_not_found:
    case ErrorKind::file_not_found:
    case ErrorKind::job_not_found:
    case ErrorKind::unauthorized:
    case ErrorKind::gated:
    case ErrorKind::forbidden:
    case ErrorKind::conflict:  // the same commit would be refused again
    case ErrorKind::integrity: // the flight decides what to fetch again
    case ErrorKind::no_space:
    case ErrorKind::quota:
    case ErrorKind::storage:
    case ErrorKind::cancelled:
    case ErrorKind::internal:
        return false;
    }
    return false;
}

/// One step of splitmix64 (public domain, Vigna): enough randomness for jitter.
std::uint64_t next_random(std::uint64_t& state) noexcept {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

} // namespace

unsigned Retry::weight(const Error& error) const noexcept {
    if (error.is_lasting()) {
        return (policy_.max_failures + 1) / 2;
    }
    return error.kind() == ErrorKind::protocol ? 2 : 1;
}

std::optional<std::chrono::milliseconds> Retry::next(const Error& error, bool counted) noexcept {
    using std::chrono::milliseconds;
    if (!may_heal(error.kind())) {
        return std::nullopt;
    }
    const auto asked = error.retry_after();
    if (asked && *asked > policy_.longest_asked) {
        return std::nullopt;
    }
    if (!counted && (error.kind() != ErrorKind::rate_limited || !asked)) {
        failures_ += weight(error);
    }
    if (failures_ >= policy_.max_failures) {
        return std::nullopt;
    }
    const bool brief = failures_ == 0 || error.is_lasting();
    const unsigned doublings = brief ? 0 : std::min(failures_ - 1, 20U);
    const auto delay = std::min(policy_.initial * (1L << doublings), policy_.ceiling);
    // Between one half and the whole of it.
    const auto half = delay.count() / 2;
    const auto jitter =
        static_cast<long>(next_random(random_) % (static_cast<std::uint64_t>(half) + 1));
    const milliseconds own{half + jitter};
    return asked ? std::max<milliseconds>(*asked, own) : own;
}

} // namespace wharf::scheduling
