// A slow, lossy link between two network namespaces, in user space: packets from the TUN device of
// one come out of that of the other after a while, or never.
//
//     slow_link LEFT RIGHT DELAY_MS LOSS_PERCENT MBIT_PER_S QUEUE_KIB SEED
//
// Makes a device "far0" in each of the namespaces (names as of `ip netns`), says "ready" and runs
// until it is killed; the devices go with it. Each way has a sender with a rate, a queue before it
// that drops what does not fit, loss by chance, and the delay: half of the round trip. A link of
// the kernel's own would need sch_netem, which not every kernel has. Needs CAP_NET_ADMIN.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <random>
#include <sched.h>
#include <stdexcept>
#include <string>
#include <sys/ioctl.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Link {
    std::chrono::milliseconds delay{};
    double loss = 0; ///< of all packets, 0 to 1
    double bytes_per_second = 0;
    std::size_t queue = 0; ///< bytes
};

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error{errno, std::generic_category(), what};
}

/// A TUN device in another namespace; the calling thread stays there.
int open_device(const std::string& name_space) {
    const int there = ::open(("/run/netns/" + name_space).c_str(), O_RDONLY | O_CLOEXEC);
    if (there < 0 || ::setns(there, CLONE_NEWNET) != 0) {
        fail("namespace " + name_space);
    }
    ::close(there);
    const int device = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    ifreq request{};
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    std::strncpy(request.ifr_name, "far0", IFNAMSIZ - 1);
    if (device < 0 || ::ioctl(device, TUNSETIFF, &request) != 0) {
        fail("TUN device");
    }
    return device;
}

/// One direction of the link.
class Way {
  public:
    Way(int from, int to, const Link& link, unsigned seed)
        : from_{from}, to_{to}, link_{link}, random_{seed} {}

    int source() const noexcept { return from_; }

    /// Takes in all packets that wait at the source.
    void take(Clock::time_point now) {
        std::array<char, 65536> buffer{};
        for (;;) {
            const ssize_t size = ::read(from_, buffer.data(), buffer.size());
            if (size <= 0) {
                return;
            }
            accept({buffer.begin(), buffer.begin() + size}, now);
        }
    }

    /// Hands over what is due; when the next packet will be, or `latest`.
    Clock::time_point deliver(Clock::time_point now, Clock::time_point latest) {
        while (!in_flight_.empty() && in_flight_.front().due <= now) {
            const std::vector<char>& packet = in_flight_.front().bytes;
            // A device that takes no more loses it, as a network card would.
            [[maybe_unused]] const ssize_t written = ::write(to_, packet.data(), packet.size());
            in_flight_.pop_front();
        }
        return in_flight_.empty() ? latest : std::min(latest, in_flight_.front().due);
    }

  private:
    struct Packet {
        Clock::time_point due;
        std::vector<char> bytes;
    };

    void accept(std::vector<char> packet, Clock::time_point now) {
        const auto seconds = [this](std::size_t bytes) {
            return std::chrono::duration_cast<Clock::duration>(
                std::chrono::duration<double>{static_cast<double>(bytes) / link_.bytes_per_second});
        };
        const auto begin = std::max(now, sender_free_);
        if (begin - now > seconds(link_.queue)) {
            return;
        }
        sender_free_ = begin + seconds(packet.size());
        // Lost on its way: it has taken its time at the sender.
        if (std::bernoulli_distribution{link_.loss}(random_)) {
            return;
        }
        in_flight_.push_back({sender_free_ + link_.delay, std::move(packet)});
    }

    int from_;
    int to_;
    Link link_;
    std::mt19937 random_;
    std::deque<Packet> in_flight_;  ///< in order: all have the same delay
    Clock::time_point sender_free_; ///< when the sender has sent what is in its queue
};

[[noreturn]] void run(std::array<Way, 2> ways) {
    std::array<pollfd, 2> sources{pollfd{ways[0].source(), POLLIN, 0},
                                  pollfd{ways[1].source(), POLLIN, 0}};
    for (;;) {
        const auto now = Clock::now();
        auto next = now + std::chrono::seconds{1};
        for (Way& way : ways) {
            next = way.deliver(now, next);
        }
        const auto left = std::chrono::ceil<std::chrono::nanoseconds>(next - now);
        const timespec timeout{left.count() / 1'000'000'000, left.count() % 1'000'000'000};
        if (::ppoll(sources.data(), sources.size(), &timeout, nullptr) < 0 && errno != EINTR) {
            fail("ppoll");
        }
        for (Way& way : ways) {
            way.take(Clock::now());
        }
    }
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 8) {
        std::fputs("usage: slow_link LEFT RIGHT DELAY_MS LOSS_PERCENT MBIT_PER_S QUEUE_KIB SEED\n",
                   stderr);
        return 2;
    }
    try {
        const Link link{.delay = std::chrono::milliseconds{std::stoi(argv[3])},
                        .loss = std::stod(argv[4]) / 100,
                        .bytes_per_second = std::stod(argv[5]) * 1e6 / 8,
                        .queue = std::stoul(argv[6]) * 1024};
        const auto seed = static_cast<unsigned>(std::stoul(argv[7]));
        const int left = open_device(argv[1]);
        const int right = open_device(argv[2]);
        std::puts("ready");
        std::fflush(stdout);
        run({Way{left, right, link, seed}, Way{right, left, link, seed + 1}});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "slow_link: %s\n", error.what());
        return 1;
    }
}
