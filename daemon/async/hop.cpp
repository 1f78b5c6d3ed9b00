#include "daemon/async/hop.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <memory>

namespace wharf::async {

namespace {

/// Shared by both sides, so that a late cancellation finds it alive. The signal is used on the
/// target's thread only, once the task was handed over.
struct Hop {
    asio::cancellation_signal stop;
};

/// Both ends of a hop: begins the task over there, and completes `handler` over here.
struct Begin {
    bool cancellable;

    template <typename Handler>
    void operator()(Handler handler, Executor target, Awaitable<> task) const {
        const auto hop = std::make_shared<Hop>();
        const Executor home = asio::get_associated_executor(handler, target);
        auto slot = asio::get_associated_cancellation_slot(handler);
        if (cancellable && slot.is_connected()) {
            slot.assign([hop, target](asio::cancellation_type type) {
                asio::post(target, [hop, type] { hop->stop.emit(type); });
            });
        }
        auto waiting = std::make_shared<Handler>(std::move(handler));
        auto finish = [waiting, hop,
                       work = asio::make_work_guard(home)](const std::exception_ptr& failure) {
            asio::post(work.get_executor(), [waiting, failure] {
                Handler resume = std::move(*waiting);
                auto own_slot = asio::get_associated_cancellation_slot(resume);
                if (own_slot.is_connected()) {
                    own_slot.clear();
                }
                std::move(resume)(failure);
            });
        };
        if (cancellable) {
            asio::co_spawn(target, std::move(task),
                           asio::bind_cancellation_slot(hop->stop.slot(), std::move(finish)));
        } else {
            asio::co_spawn(target, std::move(task), std::move(finish));
        }
    }
};

} // namespace

Awaitable<> run_on(Executor target, Awaitable<> task) {
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr)>(
        Begin{.cancellable = true}, asio::use_awaitable, std::move(target), std::move(task));
}

Awaitable<> run_to_end_on(Executor target, Awaitable<> task) {
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr)>(
        Begin{.cancellable = false}, asio::use_awaitable, std::move(target), std::move(task));
}

} // namespace wharf::async
