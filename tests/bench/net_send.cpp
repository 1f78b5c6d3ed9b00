// Sends a file with PUT over one client: what moving bytes out costs. A server must take them and
// answer 200; net_send.py has one. Usage: net_send URL FILE [--ca FILE] [--piece BYTES]

#include "base/error.hpp"
#include "daemon/net/http_client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <stdexcept>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using wharf::Awaitable;

struct Options {
    std::string url;
    std::string file;
    std::string ca_file;
    std::size_t piece = SIZE_MAX; ///< given at a time, if the client takes that much
};

/// Reads on the client's own thread: the file is in the page cache.
class FileBody final : public wharf::net::RequestBody {
  public:
    FileBody(const std::string& path, std::size_t piece)
        : fd_{::open(path.c_str(), O_RDONLY | O_CLOEXEC)}, piece_{piece} {
        struct stat status{};
        if (fd_ < 0 || ::fstat(fd_, &status) != 0) {
            throw std::runtime_error{"cannot open " + path};
        }
        size_ = static_cast<std::uint64_t>(status.st_size);
    }
    FileBody(const FileBody&) = delete;
    FileBody& operator=(const FileBody&) = delete;
    ~FileBody() override { ::close(fd_); }

    std::uint64_t size() const noexcept override { return size_; }

    Awaitable<std::size_t> read_some(std::span<std::byte> buffer) override {
        const ssize_t count = ::pread(fd_, buffer.data(), std::min(buffer.size(), piece_),
                                      static_cast<off_t>(position_));
        if (count < 0) {
            throw std::runtime_error{"cannot read the file"};
        }
        position_ += static_cast<std::uint64_t>(count);
        ++reads_;
        co_return static_cast<std::size_t>(count);
    }

    void rewind() override { position_ = 0; }

    std::uint64_t reads() const noexcept { return reads_; }

  private:
    int fd_;
    std::size_t piece_;
    std::uint64_t size_ = 0;
    std::uint64_t position_ = 0;
    std::uint64_t reads_ = 0;
};

Awaitable<> send(wharf::Executor executor, Options options, std::shared_ptr<FileBody> body) {
    wharf::net::HttpOptions http;
    http.ca_file = options.ca_file;
    http.no_proxy = "*";
    wharf::net::HttpClient client{executor, http};
    wharf::net::HttpRequest request;
    request.method = "PUT";
    request.url = wharf::net::Url::parse(options.url).value();
    request.stream = std::move(body);
    auto response = co_await client.send(std::move(request));
    if (response.status() != 200) {
        throw std::runtime_error{fmt::format("status {}", response.status())};
    }
    co_await response.read_all(1 << 20);
}

Options parse(std::span<char*> arguments) {
    Options options;
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i];
        const std::string_view value = i + 1 < arguments.size() ? arguments[i + 1] : "";
        if (argument == "--ca") {
            options.ca_file = value;
            ++i;
        } else if (argument == "--piece") {
            std::from_chars(value.data(), value.data() + value.size(), options.piece);
            ++i;
        } else {
            (options.url.empty() ? options.url : options.file) = argument;
        }
    }
    return options;
}

double seconds(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

/// Sends and says what it cost.
void measure(const Options& options) {
    wharf::asio::io_context context{1};
    const auto body = std::make_shared<FileBody>(options.file, options.piece);
    const double wall = seconds(CLOCK_MONOTONIC);
    const double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    std::exception_ptr failure;
    wharf::asio::co_spawn(context, send(context.get_executor(), options, body),
                          [&failure](const std::exception_ptr& error) { failure = error; });
    context.run();
    if (failure) {
        std::rethrow_exception(failure);
    }
    const double mib = static_cast<double>(body->size()) / (1 << 20);
    const double took = seconds(CLOCK_MONOTONIC) - wall;
    fmt::print("{:.0f} MiB in {} reads: {:.0f} MiB/s, {:.3f} CPU s/GiB\n", mib, body->reads(),
               mib / took, (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / mib * 1024);
}

} // namespace

int main(int argc, char** argv) {
    try {
        measure(parse({argv, static_cast<std::size_t>(argc)}));
    } catch (const std::exception& caught) {
        fmt::print(stderr, "net_send: {}\n", caught.what());
        return 1;
    }
    return 0;
}
