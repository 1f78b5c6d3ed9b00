// Serves the demo interface for Varlink clients that are not ours: varlink_demo_server SOCKET. It
// says "ready" on stdout when it listens and drains on SIGTERM.
#include "base/error.hpp"
#include "base/log.hpp"
#include "daemon/service/server.hpp"
#include "tests/support/demo_service.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <csignal>
#include <cstdio>
#include <exception>
#include <utility>

namespace {

wharf::Awaitable<> serve(wharf::service::Server& server, const char* path) {
    boost::asio::signal_set stop{co_await boost::asio::this_coro::executor, SIGTERM};
    server.listen(wharf::service::ListeningSocket::open({path, 0666, 0755}));
    std::puts("ready");
    std::fflush(stdout);
    co_await stop.async_wait(boost::asio::use_awaitable);
    co_await server.drain(std::chrono::seconds{1});
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: varlink_demo_server SOCKET\n", stderr);
        return 2;
    }
    wharf::log::start(wharf::log::Level::info);
    boost::asio::io_context context{1};
    wharf::test::DemoState state;
    const wharf::test::DemoService demo{state};
    wharf::service::ServerOptions options;
    options.max_connections_per_user = options.max_connections;
    wharf::service::Server server{
        context.get_executor(), demo.dispatcher(), options,
        [](const wharf::access::Peer&) { return wharf::access::Rights{true, true, true, true}; }};
    int status = 0;
    boost::asio::co_spawn(context, serve(server, argv[1]), [&](const std::exception_ptr& failure) {
        if (failure) {
            try {
                std::rethrow_exception(failure);
            } catch (const wharf::Error& error) {
                std::fprintf(stderr, "%s\n", error.message().c_str());
            }
            status = 1;
        }
    });
    context.run();
    return status;
}
