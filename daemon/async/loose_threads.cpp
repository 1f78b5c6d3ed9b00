#include "daemon/async/loose_threads.hpp"

#include <boost/asio/post.hpp>

#include <csignal>
#include <mutex>
#include <pthread.h>
#include <system_error>
#include <thread>

namespace wharf::async {

namespace {

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

    bool is_owned() {
        const std::scoped_lock lock{mutex};
        return owned;
    }

    std::mutex mutex;
    Executor executor; ///< used under the mutex while `owned`: its loop is there then
    const std::size_t most;
    std::size_t running = 0;
    bool owned = true;
};

LooseThreads::LooseThreads(Executor executor, std::size_t most)
    : state_{std::make_shared<State>(std::move(executor), most)} {}

LooseThreads::~LooseThreads() {
    const std::scoped_lock lock{state_->mutex};
    state_->owned = false;
    state_->executor = {}; // a thread may keep the state long after the loop's end
}

bool LooseThreads::start(Call call) {
    {
        const std::scoped_lock lock{state_->mutex};
        if (state_->running == state_->most) {
            return false;
        }
        ++state_->running;
    }
    const auto finish = [](State& state, Outcome outcome) {
        const std::scoped_lock lock{state.mutex};
        --state.running;
        if (state.owned && outcome) {
            asio::post(state.executor, [state = state.shared_from_this(),
                                        outcome = std::move(outcome)] {
                if (state->is_owned()) { // and stays so: the owner's end would be on this thread
                    outcome();
                }
            });
        }
    };
    try {
        const SignalsBlocked blocked;
        std::thread{[state = state_, call = std::move(call), finish] {
            ::pthread_setname_np(::pthread_self(), "wharfd-loose");
            finish(*state, call());
        }}.detach();
        return true;
    } catch (const std::system_error&) { // no thread to be had
        finish(*state_, {});
        return false;
    }
}

std::size_t LooseThreads::running() const {
    const std::scoped_lock lock{state_->mutex};
    return state_->running;
}

} // namespace wharf::async
