// Reads URLs over one client and throws the bytes away: what moving bytes costs before anything is
// done with them. Usage: net_read URL [--ca FILE] [--connections N] [--buffer BYTES]

#include "base/error.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/net/http_client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <ctime>
#include <vector>

namespace {

using wharf::Awaitable;
using wharf::net::HttpClient;

struct Options {
    std::string url;
    std::string ca_file;
    std::size_t connections = 1;
    std::size_t buffer = 256 << 10;
};

struct Totals {
    std::uint64_t bytes = 0;
    std::uint64_t reads = 0;
};

Awaitable<> read_one(HttpClient& client, wharf::net::Url url, std::size_t buffer_size,
                     Totals& totals) {
    wharf::net::HttpRequest request;
    request.url = std::move(url);
    auto response = co_await client.send(std::move(request));
    if (response.status() != 200) {
        throw std::runtime_error{fmt::format("status {}", response.status())};
    }
    std::vector<std::byte> buffer(buffer_size);
    for (;;) {
        const std::size_t count = co_await response.read_some(buffer);
        if (count == 0) {
            co_return;
        }
        totals.bytes += count;
        ++totals.reads;
    }
}

Awaitable<> read_all(wharf::Executor executor, Options options, Totals& totals) {
    wharf::net::HttpOptions http;
    http.ca_file = options.ca_file;
    http.no_proxy = "*";
    HttpClient client{executor, http};
    const auto url = wharf::net::Url::parse(options.url).value();
    wharf::async::TaskGroup group{executor};
    for (std::size_t i = 0; i < options.connections; ++i) {
        group.spawn("read", read_one(client, url, options.buffer, totals));
    }
    co_await group.join();
}

std::size_t number(std::string_view text) {
    std::size_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

Options parse(std::span<char*> arguments) {
    Options options;
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i];
        const std::string_view value = i + 1 < arguments.size() ? arguments[i + 1] : "";
        if (argument == "--ca") {
            options.ca_file = value;
        } else if (argument == "--connections") {
            options.connections = number(value);
        } else if (argument == "--buffer") {
            options.buffer = number(value);
        } else {
            options.url = argument;
            continue;
        }
        ++i;
    }
    return options;
}

double seconds(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

} // namespace

int main(int argc, char** argv) {
    const auto options = parse({argv, static_cast<std::size_t>(argc)});
    wharf::asio::io_context context{1};
    Totals totals;
    const double wall = seconds(CLOCK_MONOTONIC);
    const double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    std::string failure;
    wharf::asio::co_spawn(context, read_all(context.get_executor(), options, totals),
                          [&failure](const std::exception_ptr& error) {
                              try {
                                  if (error) {
                                      std::rethrow_exception(error);
                                  }
                              } catch (const std::exception& caught) {
                                  failure = caught.what();
                              }
                          });
    context.run();
    if (!failure.empty() || totals.bytes == 0) {
        fmt::print(stderr, "net_read: {}\n", failure.empty() ? "nothing was read" : failure);
        return 1;
    }
    const double gib = static_cast<double>(totals.bytes) / (1 << 30);
    fmt::print("{:.2f} GiB in {} reads ({} bytes each): {:.3f} wall s/GiB, {:.3f} CPU s/GiB\n", gib,
               totals.reads, totals.bytes / totals.reads, (seconds(CLOCK_MONOTONIC) - wall) / gib,
               (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / gib);
    return 0;
}
