// How long the daemon takes to answer for a cached file over its socket.
//
//     socket_latency SOCKET REPO COMMIT FILE [CALLS]
//
// The file must be in the cache already. Asks by commit, so that no answer needs the network. First
// one client, then 64 clients at once, each on a connection and a thread of its own; prints p50,
// p99 and calls per second of both.
#include "client/lib/connection.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Micros = std::chrono::duration<double, std::micro>;

struct Target {
    std::string socket;
    boost::json::object parameters;
};

std::vector<double> ask(const Target& target, std::size_t calls) {
    wharf::client::Connection connection{target.socket};
    std::vector<double> latencies;
    latencies.reserve(calls);
    for (std::size_t i = 0; i < calls; ++i) {
        const auto begin = Clock::now();
        connection.call("org.wharf.Downloads.Download", target.parameters);
        latencies.push_back(Micros{Clock::now() - begin}.count());
    }
    return latencies;
}

void measure(const Target& target, std::size_t clients, std::size_t calls) {
    std::vector<std::vector<double>> results(clients);
    const auto begin = Clock::now();
    std::vector<std::thread> threads;
    for (auto& result : results) {
        threads.emplace_back([&] { result = ask(target, calls / clients); });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    std::vector<double> all;
    for (const auto& result : results) {
        all.insert(all.end(), result.begin(), result.end());
    }
    std::ranges::sort(all);
    const auto quantile = [&](double q) {
        return all[static_cast<std::size_t>(q * static_cast<double>(all.size() - 1))];
    };
    fmt::print("| {} | {:.0f} | {:.0f} | {:.0f} |\n", clients, quantile(0.5), quantile(0.99),
               static_cast<double>(all.size()) / seconds);
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 5) {
        fmt::print(stderr, "usage: socket_latency SOCKET REPO COMMIT FILE [CALLS]\n");
        return 2;
    }
    const Target target{
        argv[1],
        {{"repo", argv[2]}, {"revision", argv[3]}, {"files", boost::json::array{argv[4]}}}};
    const std::size_t calls = argc > 5 ? std::strtoull(argv[5], nullptr, 10) : 64'000;
    try {
        ask(target, 2'000); // warm up
        fmt::print("| clients | p50 us | p99 us | calls/s |\n| --- | --- | --- | --- |\n");
        measure(target, 1, calls / 4);
        measure(target, 64, calls);
    } catch (const std::exception& error) {
        fmt::print(stderr, "socket_latency: {}\n", error.what());
        return 1;
    }
    return 0;
}
