#include "daemon/transfer/asking.hpp"

#include "base/log.hpp"
#include "base/scope_exit.hpp"
#include "base/units.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/transfer/paced_transport.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <exception>

namespace wharf::transfer {

namespace {

/// After the Hub could not be reached: how long that is taken for granted.
constexpr std::chrono::seconds stay_away{10};

/// Feeds the jitter, which is to differ from question to question and from box to box.
std::uint64_t random_seed() {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

void call(const std::function<void()>& function) {
    if (function) {
        function();
    }
}

} // namespace

Asking::Asking(Executor executor, hub::Transport& transport, net::Url endpoint,
               scheduling::RateGate& gate)
    : executor_{std::move(executor)}, transport_{transport}, endpoint_{std::move(endpoint)},
      gate_{gate} {}

std::optional<Error> Asking::away() const {
    return std::chrono::steady_clock::now() < away_until_ ? away_ : std::nullopt;
}

/// Whatever else it is, it is an answer.
void Asking::note_failure(const Error& error) {
    away_.reset();
    if (error.kind() == ErrorKind::network) {
        away_ = error;
        away_until_ = std::chrono::steady_clock::now() + stay_away;
    }
}

Awaitable<> Asking::ask(Way way) {
    try {
        co_await try_until_over(std::move(way));
    } catch (const Error& error) {
        note_failure(error);
        throw;
    }
    away_.reset();
}

Awaitable<> Asking::try_until_over(Way way) {
    PacedTransport paced{transport_, gate_, way.note, way.policy.longest_asked, way.sending};
    hub::HubClient hub{paced, endpoint_};
    hub::UploadClient writing{paced, endpoint_};
    scheduling::Retry retry{way.policy, random_seed()};
    for (;;) {
        std::optional<Error> failed;
        try {
            if (way.fetch) {
                co_await way.fetch(hub);
            } else {
                co_await way.write(writing);
            }
        } catch (const Error& error) {
            failed = error;
        }
        if (!failed) {
            co_return;
        }
        call(way.failed);
        const auto delay = retry.next(*failed);
        if (!delay) {
            throw *failed;
        }
        co_await wait_before_retry(*failed, *delay, way.token, way.note);
    }
}

Awaitable<> Asking::wait_before_retry(Error error, std::chrono::milliseconds delay,
                                      hub::Token token,
                                      std::shared_ptr<scheduling::WaitNote> note) {
    if (gate_.is_closed(endpoint_.authority(), token, hub::Bucket::api)) {
        co_return; // there we wait, and say how long
    }
    log::warning("transfer", "{}; trying again in {} ms", error.message(), delay.count());
    note->reason = fmt::format("{}; trying again", error.message());
    const ScopeExit quiet{[note] { note->reason.clear(); }};
    co_await async::sleep_for(delay);
}

/// How a question ended that is not waited for without end.
struct Asking::Outcome {
    bool sent = false; ///< the gate let a request through
    std::exception_ptr failure;
    async::Event ended;
};

Awaitable<> Asking::ask_into(Way way, std::shared_ptr<Outcome> outcome) {
    try {
        co_await ask(std::move(way));
    } catch (...) { // handed to whoever waits for the outcome
        outcome->failure = std::current_exception();
    }
    outcome->ended.notify_all();
}

Error Asking::too_late(std::chrono::milliseconds limit, bool held_up) const {
    const auto time = format_duration(std::chrono::ceil<std::chrono::seconds>(limit));
    if (!held_up) {
        return Error{ErrorKind::network,
                     fmt::format("{} did not answer within {}", endpoint_.authority(), time)};
    }
    return Error{ErrorKind::rate_limited,
                 fmt::format("{} lets too few requests through to ask within {}",
                             endpoint_.authority(), time),
                 "try again later, or use a token: its limits are higher"};
}

Awaitable<> Asking::ask_within(std::chrono::milliseconds limit, Way way) {
    const auto outcome = std::make_shared<Outcome>();
    const hub::Token token = way.token;
    way.sending = [outcome, inner = std::move(way.sending)] {
        outcome->sent = true;
        call(inner);
    };
    async::TaskGroup asking{executor_};
    asking.spawn("question with a limit", ask_into(std::move(way), outcome));
    bool in_time = false;
    std::exception_ptr stopped;
    try {
        in_time = co_await outcome->ended.wait_for(limit);
    } catch (...) { // rethrown when the question, which uses what is our caller's, is over
        stopped = std::current_exception();
    }
    asking.cancel();
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await asking.join();
    co_await asio::this_coro::reset_cancellation_state();
    if (stopped) {
        std::rethrow_exception(stopped);
    }
    if (!in_time) {
        const bool held_up =
            !outcome->sent || gate_.is_closed(endpoint_.authority(), token, hub::Bucket::api);
        const Error error = too_late(limit, held_up);
        note_failure(error);
        throw error;
    }
    if (outcome->failure) {
        std::rethrow_exception(outcome->failure);
    }
}

} // namespace wharf::transfer
