#include "daemon/async/foreign_fd.hpp"
#include "tests/support/run_coroutine.hpp"

#include <boost/asio/io_context.hpp>

#include <fcntl.h>
#include <future>
#include <mutex>
#include <set>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;
using wharf::adopt_fd;
using wharf::UniqueFd;
using wharf::async::FdCloser;
using wharf::async::ForeignCalls;
using wharf::async::ForeignFd;

namespace {

constexpr uid_t ann = 1001;
constexpr uid_t mallory = 1666;

UniqueFd some_file() {
    UniqueFd fd{adopt_fd, ::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    REQUIRE(fd);
    return fd;
}

bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) != -1;
}

/// Closes, but not before hanging descriptors are let go, and knows on which threads.
class Closings {
  public:
    FdCloser::Close close() {
        return [this](int fd) {
            bool hangs = false;
            {
                const std::scoped_lock lock{mutex_};
                threads_.insert(std::this_thread::get_id());
                hangs = hanging_.contains(fd);
            }
            if (hangs) {
                released_.wait();
            }
            return ::close(fd);
        };
    }
    void hang(const UniqueFd& fd) {
        const std::scoped_lock lock{mutex_};
        hanging_.insert(fd.value());
    }
    void let_go() { release_.set_value(); }
    bool was_on_this_thread() {
        const std::scoped_lock lock{mutex_};
        return threads_.contains(std::this_thread::get_id());
    }

  private:
    std::mutex mutex_;
    std::set<int> hanging_;
    std::set<std::thread::id> threads_;
    std::promise<void> release_;
    std::shared_future<void> released_ = release_.get_future().share();
};

/// Runs the loop until none of an account's is open.
void settle(wharf::asio::io_context& context, const FdCloser& closer, uid_t uid) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (closer.open(uid) > 0) {
        REQUIRE(std::chrono::steady_clock::now() < deadline);
        context.restart();
        context.run_for(1ms);
    }
}

} // namespace

TEST_CASE("what was handed to us is closed elsewhere, and counted until then") {
    wharf::asio::io_context context;
    Closings closings;
    FdCloser closer{context.get_executor(), closings.close()};
    std::vector<ForeignFd> fds;
    std::vector<int> numbers;
    for (int i = 0; i < 100; ++i) {
        fds.push_back(closer.own(some_file(), ann));
        numbers.push_back(fds.back().value());
    }
    CHECK(closer.open(ann) == 0);
    fds.clear();
    CHECK(closer.open(ann) == 100);
    CHECK(is_open(numbers.front()));
    settle(context, closer, ann);
    for (const int number : numbers) {
        CHECK_FALSE(is_open(number));
    }
    CHECK_FALSE(closings.was_on_this_thread());
}

TEST_CASE("an account whose files hang when they are closed holds up nobody else") {
    wharf::asio::io_context context;
    Closings closings;
    FdCloser closer{context.get_executor(), closings.close()};
    for (std::size_t i = 0; i < 2 * ForeignCalls::most; ++i) {
        auto fd = some_file();
        closings.hang(fd);
        closer.own(std::move(fd), mallory).reset();
        context.restart();
        context.poll(); // each begins by itself
    }
    closer.own(some_file(), ann).reset();
    settle(context, closer, ann);
    CHECK(closer.open(mallory) == 2 * ForeignCalls::most);
    closings.let_go();
    settle(context, closer, mallory);
}

TEST_CASE("any thread may give a descriptor up, also when its closer is gone") {
    wharf::asio::io_context context;
    int number = -1;
    ForeignFd left;
    {
        FdCloser closer{context.get_executor()};
        auto fd = closer.own(some_file(), ann);
        std::thread{[fd = std::move(fd)]() mutable { fd.reset(); }}.join();
        settle(context, closer, ann);
        left = closer.own(some_file(), ann);
        number = left.value();
    }
    left.reset();
    CHECK(is_open(number)); // until the process ends: nothing may hang as it stops
    ::close(number);
}

TEST_CASE("a descriptor is closed at once where that may hang, or when it is our own") {
    wharf::asio::io_context context;
    Closings closings;
    FdCloser closer{context.get_executor(), closings.close()};
    auto here = closer.own(some_file(), ann);
    const int number = here.value();
    here.close_here();
    CHECK_FALSE(is_open(number));
    ForeignFd ours{some_file()};
    const int second = ours.value();
    ours = ForeignFd{};
    CHECK_FALSE(is_open(second));
    auto kept = closer.own(some_file(), ann);
    const UniqueFd taken = kept.release();
    kept.reset();
    CHECK(is_open(taken.value()));
    CHECK(closer.open(ann) == 0);
}
