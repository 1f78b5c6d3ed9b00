#include "daemon/async/task_group.hpp"

#include "base/log.hpp"
#include "daemon/async/cancellation.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>

namespace wharf::async {

namespace {

/// Cancellation is the ordinary end of a task; everything else is worth a line.
void log_failure(const std::string& name, const std::exception_ptr& failure) noexcept {
    if (is_cancellation(failure)) {
        return;
    }
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& error) {
        log::error("async", "task {} failed: {}", name, error.what());
    } catch (...) { // a task root is the last place to catch anything
        log::error("async", "task {} failed with an unknown exception", name);
    }
}

} // namespace

/// One task, from spawn() to its end; shared with what is posted about it.
struct TaskGroup::Task {
    explicit Task(std::string n) : name{std::move(n)} {}

    enum class Phase { waiting_to_begin, running, ended };

    std::string name;
    asio::cancellation_signal stop;
    Phase phase = Phase::waiting_to_begin;
    bool stop_wanted = false;

    void cancel() {
        stop_wanted = true;
        if (phase == Phase::running) {
            stop.emit(asio::cancellation_type::terminal);
        }
    }
};

struct TaskGroup::State {
    explicit State(Executor e) : executor{std::move(e)} {}

    Executor executor;
    std::list<std::shared_ptr<Task>> tasks;
    Event emptied;
    bool cancelled = false;
};

/// co_spawn() would run a task up to its first wait, or even its end, before it returns, in the
/// middle of whatever the spawning code is doing. Ours begin when the loop comes to them. And they
/// do begin, even when they are cancelled before: what a task does on its way out is often what
/// others wait for. So that cancellation is held back until the task has come to its first wait.
Awaitable<> TaskGroup::begin_later(std::shared_ptr<Task> entry, Awaitable<> task) {
    const Executor executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
    if (entry->stop_wanted) {
        asio::post(executor, [entry] { entry->cancel(); });
    }
    entry->phase = Task::Phase::running;
    co_await std::move(task);
}

TaskGroup::TaskGroup(Executor executor) : state_{std::make_shared<State>(std::move(executor))} {}

TaskGroup::~TaskGroup() = default;

void TaskGroup::spawn(std::string name, Awaitable<> task) {
    const auto state = state_;
    const auto entry = std::make_shared<Task>(std::move(name));
    entry->stop_wanted = state->cancelled;
    const auto place = state->tasks.insert(state->tasks.end(), entry);
    auto end = [state, entry, place](const std::exception_ptr& failure) {
        if (failure) {
            log_failure(entry->name, failure);
        }
        entry->phase = Task::Phase::ended;
        state->tasks.erase(place);
        if (state->tasks.empty()) {
            state->emptied.notify_all();
        }
    };
    asio::co_spawn(state->executor, begin_later(entry, std::move(task)),
                   asio::bind_cancellation_slot(entry->stop.slot(), std::move(end)));
}

void TaskGroup::cancel() {
    state_->cancelled = true;
    const auto tasks = state_->tasks; // a copy: cancelling may end tasks at once
    for (const auto& task : tasks) {
        task->cancel();
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
