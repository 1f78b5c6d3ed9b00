#include "daemon/async/foreign_calls.hpp"

#include "daemon/async/event.hpp"

#include <chrono>
#include <exception>
#include <memory>
#include <utility>

namespace wharf::async {

namespace {

/// How often those who wait try again when the system had no thread to give.
constexpr auto retry_after = std::chrono::seconds{1};

/// Shared by the call and whoever waits for it.
struct Ending {
    Event changed;
    bool ended = false;
    std::exception_ptr failure;
};

} // namespace

ForeignCalls::ForeignCalls(Executor executor) : threads_{std::move(executor), most} {}

void ForeignCalls::start(uid_t uid, Call call, std::function<void()> ended) {
    accounts_[uid].waiting.push_back({std::move(call), std::move(ended)});
    begin_more();
}

Awaitable<> ForeignCalls::run(uid_t uid, Call call) {
    const auto ending = std::make_shared<Ending>();
    start(
        uid,
        [ending, call = std::move(call)] {
            try {
                call();
            } catch (...) { // rethrown below, in the task that asked
                ending->failure = std::current_exception();
            }
        },
        [ending] {
            ending->ended = true;
            ending->changed.notify_all();
        });
    while (!ending->ended) {
        co_await ending->changed.wait_for(retry_after);
        begin_more();
    }
    if (ending->failure) {
        std::rethrow_exception(ending->failure);
    }
}

void ForeignCalls::begin_more() {
    while (running_ < most) {
        const auto account = next();
        if (account == accounts_.end() || !begin(account)) {
            return;
        }
    }
}

/// The first account after the last one that has something to begin and may.
ForeignCalls::Accounts::iterator ForeignCalls::next() {
    auto candidate = accounts_.upper_bound(last_);
    for (std::size_t i = 0; i < accounts_.size(); ++i, ++candidate) {
        if (candidate == accounts_.end()) {
            candidate = accounts_.begin();
        }
        const auto& account = candidate->second;
        if (!account.waiting.empty() && account.running < most_for_account) {
            return candidate;
        }
    }
    return accounts_.end();
}

/// False if the system has no thread for it: it stays in its place.
bool ForeignCalls::begin(Accounts::iterator account) {
    const uid_t uid = account->first;
    const auto pending = std::make_shared<Pending>(std::move(account->second.waiting.front()));
    const bool begun = threads_.start([this, uid, pending]() -> LooseThreads::Outcome {
        pending->call();
        pending->call = nullptr; // what it owns ends here, not on the control thread
        return [this, uid, ended = std::move(pending->ended)] {
            if (ended) {
                ended();
            }
            finished(uid);
        };
    });
    if (!begun) {
        account->second.waiting.front() = std::move(*pending);
        return false;
    }
    account->second.waiting.pop_front();
    ++account->second.running;
    ++running_;
    last_ = uid;
    return true;
}

void ForeignCalls::finished(uid_t uid) {
    const auto account = accounts_.find(uid);
    --running_;
    --account->second.running;
    if (account->second.running == 0 && account->second.waiting.empty()) {
        accounts_.erase(account);
    }
    begin_more();
}

} // namespace wharf::async
