#include "daemon/async/loose_threads.hpp"

#include <boost/asio/post.hpp>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <pthread.h>
#include <system_error>
#include <thread>

namespace wharf::async {

namespace {

/// How long a thread waits for another call.
constexpr auto idle_time = std::chrono::seconds{5};

/// Signals are the control thread's: a new thread begins with all of them blocked.
class SignalsBlocked {
  public:
    SignalsBlocked() noexcept {
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

  private:
    sigset_t before_{};
};

} // namespace

struct LooseThreads::State : std::enable_shared_from_this<State> {
    State(Executor e, std::size_t m) : executor{std::move(e)}, most{m} {}

    void serve(Call call);
    void finish(Outcome outcome);
    Call next();
    bool is_owned() {
        const std::scoped_lock lock{mutex};
        return owned;
    }

    std::mutex mutex;
    std::condition_variable handed_over;
    std::deque<Call> calls; ///< each for a thread that is no longer counted as idle
    Executor executor;      ///< used under the mutex while `owned`: its loop is there then
    const std::size_t most;
    std::size_t running = 0;
    std::size_t idle = 0;
    bool owned = true;
};

/// A thread's life.
void LooseThreads::State::serve(Call call) {
    while (call) {
        Outcome outcome = call();
        call = nullptr; // before others hear of it
        finish(std::move(outcome));
        call = next();
    }
}

/// The thread is idle before its outcome is heard of: what that begins finds it.
void LooseThreads::State::finish(Outcome outcome) {
    const std::scoped_lock lock{mutex};
    --running;
    ++idle;
    if (owned && outcome) {
        asio::post(executor, [state = shared_from_this(), outcome = std::move(outcome)] {
            if (state->is_owned()) { // and stays so: the owner's end would be on this thread
                outcome();
            }
        });
    }
}

/// Empty when there was none for a while, or will be none.
LooseThreads::Call LooseThreads::State::next() {
    std::unique_lock lock{mutex};
    handed_over.wait_for(lock, idle_time, [this] { return !calls.empty() || !owned; });
    if (calls.empty()) {
        --idle;
        return {};
    }
    Call call = std::move(calls.front());
    calls.pop_front();
    return call;
}

LooseThreads::LooseThreads(Executor executor, std::size_t most)
    : state_{std::make_shared<State>(std::move(executor), most)} {}

LooseThreads::~LooseThreads() {
    const std::scoped_lock lock{state_->mutex};
    state_->owned = false;
    state_->executor = {}; // a thread may keep the state long after the loop's end
    state_->handed_over.notify_all();
}

bool LooseThreads::start(Call call) {
    const std::scoped_lock lock{state_->mutex};
    if (state_->running == state_->most) {
        return false;
    }
    if (state_->idle > 0) {
        state_->calls.push_back(std::move(call));
        --state_->idle;
        ++state_->running;
        state_->handed_over.notify_one();
        return true;
    }
    try {
        const SignalsBlocked blocked;
        std::thread{[state = state_, call = std::move(call)]() mutable {
            ::pthread_setname_np(::pthread_self(), "wharfd-loose");
            state->serve(std::move(call));
        }}.detach();
    } catch (const std::system_error&) { // no thread to be had
        return false;
    }
    ++state_->running;
    return true;
}

std::size_t LooseThreads::running() const {
    const std::scoped_lock lock{state_->mutex};
    return state_->running;
}

} // namespace wharf::async
