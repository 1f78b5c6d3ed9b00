#include "client/cli/interrupts.hpp"

#include "base/scope_exit.hpp"
#include "client/cli/failure.hpp"

#include <atomic>
#include <csignal>
#include <poll.h>
#include <sys/socket.h>

namespace wharf::cli {

namespace {

std::atomic<bool> stop_requested{false};
std::atomic<int> watched_socket{-1};
bool postponed = false; // the command has one thread, and its handler does not look here
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

void on_signal(int) {
    stop_requested = true;
    if (const int socket = watched_socket; socket >= 0) {
        ::shutdown(socket, SHUT_RDWR); // async-signal-safe
    }
}

} // namespace

void Interrupts::install() noexcept {
    struct sigaction action{};
    action.sa_handler = on_signal;
    action.sa_flags = static_cast<int>(SA_RESETHAND); // and no SA_RESTART: blocking calls return
    ::sigemptyset(&action.sa_mask);
    for (const int signal : {SIGINT, SIGTERM}) {
        struct sigaction before{};
        ::sigaction(signal, nullptr, &before);
        if (before.sa_handler != SIG_IGN) { // whoever started us in the background wants it ignored
            ::sigaction(signal, &action, nullptr);
        }
    }
    struct sigaction ignore{};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignore, nullptr);
}

bool Interrupts::requested() noexcept {
    return stop_requested;
}

void Interrupts::postpone() noexcept {
    postponed = true;
    watched_socket = -1;
}

bool Interrupts::sleep_until(std::chrono::steady_clock::time_point end) {
    // Blocked while the flag is looked at, or a signal between that and the sleep would be lost.
    sigset_t ours;
    sigset_t before;
    ::sigemptyset(&ours);
    ::sigaddset(&ours, SIGINT);
    ::sigaddset(&ours, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &ours, &before);
    const ScopeExit unblock{[&before] { ::sigprocmask(SIG_SETMASK, &before, nullptr); }};
    while (!stop_requested) {
        using namespace std::chrono;
        const auto left = duration_cast<nanoseconds>(end - steady_clock::now());
        if (left <= nanoseconds::zero()) {
            return false;
        }
        const timespec limit{left / seconds{1}, (left % seconds{1}).count()};
        ::ppoll(nullptr, 0, &limit, &before);
    }
    return true;
}

void Interrupts::break_off(int socket) noexcept {
    if (postponed) {
        return;
    }
    watched_socket = socket;
    if (socket >= 0 && stop_requested) {
        ::shutdown(socket, SHUT_RDWR);
    }
}

void Interrupts::check() {
    if (stop_requested && !postponed) {
        throw Failure{protocol::ExitCode::interrupted, "org.wharf.client.Interrupted",
                      "interrupted", "run the same command again to go on where it was"};
    }
}

} // namespace wharf::cli
