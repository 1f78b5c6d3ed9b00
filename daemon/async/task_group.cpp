#include "daemon/async/task_group.hpp"

#include "base/error.hpp"
#include "base/log.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <exception>

namespace wharf::async {

namespace {

/// Cancellation is the ordinary end of a task; everything else is worth a line.
void log_failure(const std::string& name, const std::exception_ptr& failure) noexcept {
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        if (error.code() != asio::error::operation_aborted) {
            log::error("async", "task {} failed: {}", name, error.what());
        }
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::cancelled) {
            log::error("async", "task {} failed: {}", name, error.message());
        }
    } catch (const std::exception& error) {
        log::error("async", "task {} failed: {}", name, error.what());
    } catch (...) { // a task root is the last place to catch anything
        log::error("async", "task {} failed with an unknown exception", name);
    }
}

/// co_spawn() would run a task up to its first wait, or even its end, before it returns, in the
/// middle of whatever the spawning code is doing. Ours begin when the loop comes to them.
Awaitable<> begin_later(Awaitable<> task) {
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    co_await std::move(task);
}

} // namespace

struct TaskGroup::State {
    struct Task {
        std::string name;
        asio::cancellation_signal stop;
    };

    explicit State(Executor e) : executor{std::move(e)} {}

    Executor executor;
    std::list<Task> tasks;
    Event emptied;
    bool cancelled = false;
};

TaskGroup::TaskGroup(Executor executor) : state_{std::make_shared<State>(std::move(executor))} {}

TaskGroup::~TaskGroup() = default;

void TaskGroup::spawn(std::string name, Awaitable<> task) {
    const auto state = state_;
    const auto entry = state->tasks.emplace(state->tasks.end());
    entry->name = std::move(name);
    asio::co_spawn(state->executor, begin_later(std::move(task)),
                   asio::bind_cancellation_slot(entry->stop.slot(),
                                                [state, entry](const std::exception_ptr& failure) {
                                                    if (failure) {
                                                        log_failure(entry->name, failure);
                                                    }
                                                    state->tasks.erase(entry);
                                                    if (state->tasks.empty()) {
                                                        state->emptied.notify_all();
                                                    }
                                                }));
    if (state->cancelled) {
        entry->stop.emit(asio::cancellation_type::terminal);
    }
}

void TaskGroup::cancel() {
    state_->cancelled = true;
    // Emitting may end a task at once, which erases it: step on first.
    for (auto task = state_->tasks.begin(); task != state_->tasks.end();) {
        const auto current = task++;
        current->stop.emit(asio::cancellation_type::terminal);
    }
}

Awaitable<> TaskGroup::join() {
    const auto state = state_;
    while (!state->tasks.empty()) {
        co_await state->emptied.wait();
    }
}

std::size_t TaskGroup::size() const noexcept {
    return state_->tasks.size();
}

} // namespace wharf::async
