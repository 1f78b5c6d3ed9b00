#include "daemon/access/audit_trail.hpp"

#include "base/log.hpp"
#include "base/scope_exit.hpp"

#include <fmt/format.h>

#include <map>
#include <unistd.h>
#include <utility>
#include <vector>

namespace wharf::access {

using namespace std::chrono_literals;
using std::chrono::system_clock;

namespace {

constexpr auto try_again = 5s;
constexpr auto complain_again = 1min;

/// What stands where records are missing.
AuditRecord lost(std::size_t count) {
    return record_of({.action = AuditEvent::Action::admin,
                      .uid = ::geteuid(),
                      .repo = {},
                      .detail = fmt::format("{} events could not be written", count),
                      .result = "lost",
                      .restricted = true},
                     system_clock::now());
}

} // namespace

AuditTrail::AuditTrail(Executor executor, KnownAccounts& accounts, AuditScope scope,
                       std::shared_ptr<AuditSink> sink)
    : accounts_{accounts}, scope_{scope}, sink_{std::move(sink)}, writer_{std::move(executor)} {}

AuditTrail::~AuditTrail() = default;

bool AuditTrail::wants(bool restricted) const noexcept {
    return scope_ == AuditScope::all || (scope_ == AuditScope::restricted && restricted);
}

void AuditTrail::record(const AuditEvent& event) noexcept {
    if (!wants(event.restricted)) {
        return;
    }
    try {
        if (waiting_.size() >= most_waiting) {
            ++dropped_;
            return;
        }
        if (dropped_ > 0) {
            waiting_.push_back(lost(std::exchange(dropped_, 0)));
        }
        waiting_.push_back(record_of(event, system_clock::now()));
        if (!is_writing_ && !stopping_) {
            writer_.spawn("audit", write_all());
            is_writing_ = true;
        }
    } catch (...) { // no memory: the work that it describes goes on
        ++dropped_;
    }
}

void AuditTrail::set(AuditScope scope, std::shared_ptr<AuditSink> sink) {
    scope_ = scope;
    sink_ = std::move(sink);
    hurry_.notify_all();
}

Awaitable<> AuditTrail::write_all() {
    const ScopeExit over{[this] { is_writing_ = false; }};
    while (!waiting_.empty() || dropped_ > 0) {
        const bool is_last_try = stopping_;
        co_await write_batch();
        if (failing_ && is_last_try) {
            log::error("audit", "{} events could not be written", waiting_.size() + dropped_);
            break;
        }
        if (failing_ && !stopping_) {
            co_await hurry_.wait_for(try_again);
        }
    }
}

Awaitable<> AuditTrail::write_batch() {
    if (dropped_ > 0 && waiting_.size() < most_waiting) {
        waiting_.push_back(lost(std::exchange(dropped_, 0)));
    }
    std::vector<AuditRecord> batch{waiting_.begin(), waiting_.end()};
    std::map<uid_t, std::string> names; // a directory server that hangs is waited for once each
    for (auto& record : batch) {
        const auto [name, is_new] = names.try_emplace(record.uid);
        if (is_new) {
            const Account account = co_await accounts_.find(record.uid);
            name->second = printable(account.name);
        }
        record.user = name->second;
    }
    const auto sink = sink_; // set() may replace it meanwhile
    std::size_t written = 0;
    try {
        co_await disk_.run([&] {
            for (; written < batch.size(); ++written) {
                sink->write(batch[written]);
            }
        });
        failing_ = false;
    } catch (const Error& error) {
        failing_ = true;
        complain(error);
    }
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(written));
}

void AuditTrail::complain(const Error& error) {
    const auto now = std::chrono::steady_clock::now();
    if (!complained_ || now - *complained_ >= complain_again) {
        complained_ = now;
        log::error("audit", "{}: tried again", error.message());
    }
}

Awaitable<> AuditTrail::stop() {
    stopping_ = true;
    hurry_.notify_all();
    co_await writer_.join();
}

} // namespace wharf::access
