#include "daemon/async/event.hpp"
#include "daemon/net/connection_pool.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/unit/net/canned_stream.hpp"

using namespace std::chrono_literals;
using wharf::Awaitable;
using wharf::net::ConnectionPool;
using wharf::test::CannedStream;

namespace {

struct Fixture {
    wharf::asio::io_context context;
    std::shared_ptr<ConnectionPool> pool;

    explicit Fixture(ConnectionPool::Limits limits = {2, 1h})
        : pool{std::make_shared<ConnectionPool>(context.get_executor(), limits)} {}

    CannedStream& keep(const std::string& origin) const {
        auto stream = std::make_unique<CannedStream>("");
        auto& borrowed = *stream;
        pool->keep(origin, std::move(stream));
        return borrowed;
    }
};

} // namespace

TEST_CASE("connections are kept by origin, the youngest serves first") {
    const Fixture fixture;
    const auto& first = fixture.keep("a");
    const auto& second = fixture.keep("a");
    const auto& other = fixture.keep("b");
    CHECK(fixture.pool->size() == 3);
    CHECK(fixture.pool->take("a").get() == &second);
    CHECK(fixture.pool->take("a").get() == &first);
    CHECK(fixture.pool->take("a") == nullptr);
    CHECK(fixture.pool->take("c") == nullptr);
    CHECK(fixture.pool->take("b").get() == &other);
    CHECK(fixture.pool->size() == 0);
}

TEST_CASE("too many of one origin push out the oldest") {
    const Fixture fixture;
    fixture.keep("a");
    const auto& second = fixture.keep("a");
    const auto& third = fixture.keep("a");
    CHECK(fixture.pool->size() == 2);
    CHECK(fixture.pool->take("a").get() == &third);
    CHECK(fixture.pool->take("a").get() == &second);
    CHECK(fixture.pool->take("a") == nullptr);
    const Fixture none{ConnectionPool::Limits{0, 1h}};
    none.keep("a");
    CHECK(none.pool->size() == 0);
}

TEST_CASE("connections that are no longer quiet are dropped, not handed out") {
    const Fixture fixture;
    const auto& quiet = fixture.keep("a");
    fixture.keep("a").quiet = false;
    CHECK(fixture.pool->take("a").get() == &quiet);
    CHECK(fixture.pool->size() == 0);
}

TEST_CASE("unused connections are closed after their time, and not used after it") {
    Fixture fixture{ConnectionPool::Limits{4, 5ms}};
    const auto body = [&]() -> Awaitable<> {
        fixture.keep("a");
        fixture.keep("b");
        while (fixture.pool->size() > 0) { // the hang guard ends this if nothing does
            co_await wharf::async::sleep_for(1ms);
        }
        fixture.keep("a"); // the timer starts again
        while (fixture.pool->size() > 0) {
            co_await wharf::async::sleep_for(1ms);
        }
    };
    wharf::test::run(body(), fixture.context);
    const Fixture old{ConnectionPool::Limits{4, 0ms}};
    old.keep("a");
    CHECK(old.pool->take("a") == nullptr);
}

TEST_CASE("clearing closes all; the timer may outlive the pool") {
    Fixture fixture;
    fixture.keep("a");
    fixture.keep("b");
    fixture.pool->clear();
    CHECK(fixture.pool->size() == 0);
    fixture.keep("a");
    fixture.pool.reset();
    fixture.context.run_for(1s);
}
