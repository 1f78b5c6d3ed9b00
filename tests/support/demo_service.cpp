#include "tests/support/demo_service.hpp"

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/service/run_telling.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <fcntl.h>
#include <span>
#include <stdexcept>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace wharf::test {

std::span<const std::string_view> demo_definitions() noexcept; // embedded, see meson.build

namespace {

namespace json = boost::json;
using service::Call;

std::string text_parameter(const Call& call, std::string_view name) {
    return std::string{call.parameters().at(name).as_string()};
}

std::int64_t int_parameter(const Call& call, std::string_view name) {
    return call.parameters().at(name).as_int64();
}

Awaitable<> ping(DemoState& state, Call& call) {
    state.pings.push_back(text_parameter(call, "text"));
    json::object reply{{"text", state.pings.back()}};
    co_await call.reply(std::move(reply));
}

Awaitable<> echo(Call& call) {
    json::object reply = call.parameters();
    co_await call.reply(std::move(reply));
}

Awaitable<> count(Call& call) {
    const auto to = int_parameter(call, "to");
    for (std::int64_t i = 1; i < to; ++i) {
        json::object reply{{"number", i}};
        co_await call.reply_more(std::move(reply));
    }
    json::object last{{"number", to}};
    co_await call.reply(std::move(last));
}

Awaitable<> count_up(std::int64_t& number, std::int64_t to) {
    while (number < to) {
        ++number;
        co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    }
}

Awaitable<> watch(DemoState& state, Call& call) {
    const auto changes = int_parameter(call, "changes");
    std::int64_t number = 0;
    const auto tell = [&] {
        json::object reply{{"number", number}};
        return call.reply_more(std::move(reply));
    };
    co_await service::run_telling(count_up(number, changes), tell, std::chrono::milliseconds{0});
    ++state.watch_replies;
    json::object last{{"number", changes}};
    co_await call.reply(std::move(last));
}

Awaitable<> hang(DemoState& state) {
    ++state.hanging;
    const ScopeExit leave{[&] {
        --state.hanging;
        ++state.hung;
    }};
    co_await async::sleep_for(std::chrono::hours{1});
}

Awaitable<> letters(Call& call) {
    const auto size = static_cast<std::size_t>(int_parameter(call, "count"));
    json::object reply{{"text", std::string(size, 'x')}};
    co_await call.reply(std::move(reply));
}

Awaitable<> who_am_i(Call& call) {
    const auto& peer = call.peer();
    json::object reply{{"uid", peer.uid}, {"gid", peer.gid}, {"pid", peer.pid}};
    co_await call.reply(std::move(reply));
}

Awaitable<> open(Call& call) {
    UniqueFd file{adopt_fd, ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
    const std::string content = text_parameter(call, "content");
    if (!file || ::write(file.value(), content.data(), content.size()) < 0) {
        throw system_error("making a file", errno);
    }
    std::vector<UniqueFd> descriptors;
    descriptors.push_back(std::move(file));
    json::object reply{{"descriptor", 0}};
    co_await call.reply(std::move(reply), std::move(descriptors));
}

Awaitable<> read(Call& call) {
    json::array contents;
    for (const async::ForeignFd& file : call.descriptors()) {
        std::array<char, 4096> buffer{};
        const ssize_t size = ::pread(file.value(), buffer.data(), buffer.size(), 0);
        contents.emplace_back(std::string(buffer.data(), size > 0 ? std::size_t(size) : 0));
    }
    json::object reply{{"contents", std::move(contents)}};
    co_await call.reply(std::move(reply));
}

Awaitable<> fail(Call& call) {
    const std::string wanted = text_parameter(call, "kind");
    for (int i = 0; i <= static_cast<int>(ErrorKind::internal); ++i) {
        const auto kind = static_cast<ErrorKind>(i);
        if (name(kind) == wanted) {
            throw Error{kind, text_parameter(call, "message"), "do something else"};
        }
    }
    throw service::invalid_parameter("kind");
    co_return;
}

Awaitable<> crash(Call& call) {
    throw std::runtime_error{text_parameter(call, "secret")};
    co_return;
}

Awaitable<> lie(Call& call) {
    json::object reply{{"number", "one"}};
    co_await call.reply(std::move(reply));
}

Awaitable<> forget() {
    co_return;
}

Awaitable<> positive(Call& call) {
    if (int_parameter(call, "number") <= 0) {
        throw service::invalid_parameter("number");
    }
    co_await call.reply();
}

Awaitable<> print(Call& call) {
    json::object parameters{{"sheets", call.parameters().at("sheets")}};
    throw service::TypedError{"org.example.demo.OutOfPaper", std::move(parameters)};
    co_return;
}

} // namespace

DemoService::DemoService(DemoState& state) : dispatcher_{service::wharf_service()} {
    dispatcher_.add_interface(demo_definitions().front());
    const auto add = [&](std::string name, service::Handler handler) {
        dispatcher_.add(
            {"org.example.demo." + name, std::move(handler), name == "Watch", name == "Read"});
    };
    add("Ping", [&state](Call& call) { return ping(state, call); });
    add("Watch", [&state](Call& call) { return watch(state, call); });
    add("Hang", [&state](Call&) { return hang(state); });
    add("Forget", [](Call&) { return forget(); });
    add("Echo", echo);
    add("Count", count);
    add("Letters", letters);
    add("WhoAmI", who_am_i);
    add("Open", open);
    add("Read", read);
    add("Fail", fail);
    add("Crash", crash);
    add("Lie", lie);
    add("Positive", positive);
    add("Print", print);
}

} // namespace wharf::test
