// Refuses compilers that destroy temporaries twice when their full-expression suspends.
// g++ 12.2 does: an aggregate temporary in the same expression as co_await is destroyed when the
// expression ends and again with the coroutine frame. The program exits 0 only when every
// temporary is destroyed exactly once; meson runs it at configure time.
#include <coroutine>
#include <exception>
#include <memory>

namespace {

int live = 0;
int destroyed_twice = 0;

struct Tracked {
    bool* alive = new bool{true};
    Tracked() { ++live; }
    Tracked(Tracked&& other) noexcept : alive{other.alive} {
        other.alive = new bool{true};
        ++live;
    }
    ~Tracked() {
        if (!*alive) {
            ++destroyed_twice;
        }
        *alive = false; // leaked on purpose: a second destructor run must be able to look at it
        --live;
    }
};

struct Request { // an aggregate: this is what triggers the defect
    Tracked tracked;
    int value = 0;
};

struct Task {
    struct promise_type {
        std::coroutine_handle<> waiter;
        int result = 0;
        Task get_return_object() {
            return Task{std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_always initial_suspend() noexcept { return {}; }
        auto final_suspend() noexcept {
            struct Resume {
                bool await_ready() noexcept { return false; }
                std::coroutine_handle<>
                await_suspend(std::coroutine_handle<promise_type> handle) noexcept {
                    auto waiter = handle.promise().waiter;
                    return waiter ? waiter : std::noop_coroutine();
                }
                void await_resume() noexcept {}
            };
            return Resume{};
        }
        void return_value(int value) { result = value; }
        void unhandled_exception() { std::terminate(); }
    };

    explicit Task(std::coroutine_handle<promise_type> h) : handle{h} {}
    Task(Task&& other) noexcept : handle{other.handle} { other.handle = nullptr; }
    ~Task() {
        if (handle) {
            handle.destroy();
        }
    }
    bool await_ready() const { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) {
        handle.promise().waiter = waiter;
        return handle;
    }
    int await_resume() { return handle.promise().result; }

    std::coroutine_handle<promise_type> handle;
};

Task take(Request request) {
    co_return request.value;
}

Task with_aggregate() {
    co_return co_await take(Request{.tracked = {}, .value = 1});
}

Task with_lambda() {
    auto shared = std::make_shared<Tracked>();
    co_return co_await [shared]() -> Task { co_return shared ? 1 : 0; }();
}

int run(Task task) {
    task.handle.resume();
    return task.handle.promise().result;
}

} // namespace

int main() {
    const int sum = run(with_aggregate()) + run(with_lambda());
    return sum == 2 && live == 0 && destroyed_twice == 0 ? 0 : 1;
}
