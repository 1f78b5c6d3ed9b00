#pragma once

#include "base/digest.hpp"
#include "base/scope_exit.hpp"
#include "daemon/async/io_threads.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/transfer/hub_object_uploads.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/net/client_fixture.hpp"
#include "tests/unit/transfer/fake_depot.hpp"

#include <atomic>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <optional>
#include <vector>

namespace wharf::test {

/// Writes down what is told, after a moment as a disk takes it.
class MemoryRecord final : public transfer::UploadRecord {
  public:
    Awaitable<> action_given(hub::UploadAction action, bool keeps_parts) override {
        co_await async::sleep_for(std::chrono::milliseconds{2});
        known.action = std::move(action);
        kept.push_back(keeps_parts);
        if (!keeps_parts) {
            etags.clear();
        }
    }
    Awaitable<> part_sent(std::size_t part, std::string etag) override {
        co_await async::sleep_for(std::chrono::milliseconds{2});
        etags[part] = std::move(etag);
        ++parts;
    }

    transfer::PartsSent left() const {
        transfer::PartsSent all = known;
        all.etags.assign(etags.begin(), etags.end());
        return all;
    }

    transfer::PartsSent known;
    std::vector<bool> kept; ///< of each action
    std::map<std::size_t, std::string> etags;
    std::atomic<std::size_t> parts = 0; ///< written down so far; any thread
};

/// A file that is to be sent, and what came of it.
struct Push {
    explicit Push(std::string text, uid_t uid = 1000)
        : content{std::move(text)}, oid{sha256_hex(content)}, account{uid} {
        std::ofstream{home / "file"} << content;
    }

    transfer::ObjectOrder order() {
        const auto fd = ::open((home / "file").c_str(), O_RDONLY | O_CLOEXEC);
        return {.target = {.repo = {hub::RepoType::model, "org/name"},
                           .revision = "main",
                           .token = hub::Token{"hf_" + std::to_string(account)}},
                .object = {.oid = oid, .size = content.size()},
                .for_pull_request = false,
                .file = std::make_shared<const UniqueFd>(adopt_fd, fd),
                .claimant = {.uid = account, .priority = scheduling::Priority::normal},
                .record = &record,
                .earlier = earlier,
                .note = note,
                .sent = sent};
    }

    TempDir home;
    std::string content;
    std::string oid;
    uid_t account;
    MemoryRecord record;
    std::optional<transfer::PartsSent> earlier;
    std::shared_ptr<scheduling::WaitNote> note = std::make_shared<scheduling::WaitNote>();
    std::shared_ptr<std::atomic<std::uint64_t>> sent =
        std::make_shared<std::atomic<std::uint64_t>>(0);
    std::optional<Error> error;
    bool done = false;
};

/// Uploads to a depot on loopback.
struct UploadFixture {
    UploadFixture() = default;
    UploadFixture(const UploadFixture&) = delete;
    UploadFixture& operator=(const UploadFixture&) = delete;
    ~UploadFixture() { test::run(uploads.stop(), context); }

    /// Sends one and keeps what came of it.
    Awaitable<> send(Push& push) {
        try {
            co_await uploads.send(push.order());
            push.done = true;
        } catch (const Error& error) {
            push.error = error;
        }
    }
    Awaitable<> send_all(std::vector<Push*> pushes) {
        async::TaskGroup group{context.get_executor()};
        for (auto* push : pushes) {
            group.spawn("push", send(*push));
        }
        co_await group.join();
    }
    void run_all(std::vector<Push*> pushes) {
        test::run(send_all(std::move(pushes)), context, std::chrono::seconds{20});
    }

    static transfer::UploadOptions quick() {
        transfer::UploadOptions options;
        options.max_connections_per_file = 4;
        options.retry.max_failures = 4;
        options.retry.initial = std::chrono::milliseconds{20};
        options.retry.ceiling = std::chrono::milliseconds{20};
        return options;
    }

    FakeDepot depot;
    asio::io_context context;
    async::BlockingPool pool{2};
    async::IoThreads threads{2};
    scheduling::RateGate gate;
    net::Url endpoint = net::Url::parse(depot.url("")).value();
    net::HttpClient http{context.get_executor(), quick_options()};
    hub::HttpTransport transport{http, [this](const hub::QuotaNews& news) { gate.observe(news); }};
    transfer::Asking asking{context.get_executor(), transport, endpoint, gate};
    transfer::Lanes lanes{threads, quick_options(), endpoint, {}};
    scheduling::Connections connections{{}};
    scheduling::Bandwidth bandwidth{context.get_executor()};
    transfer::HubObjectUploads uploads{{.executor = context.get_executor(),
                                        .lanes = lanes,
                                        .transport = transport,
                                        .asking = asking,
                                        .pool = pool,
                                        .gate = gate,
                                        .connections = connections,
                                        .bandwidth = bandwidth,
                                        .endpoint = endpoint,
                                        .options = quick()}};
};

/// Bytes that differ from place to place.
inline std::string some_bytes(std::size_t size, unsigned seed = 1) {
    std::string text(size, '\0');
    for (auto& c : text) {
        seed = seed * 1664525 + 1013904223;
        c = static_cast<char>(seed >> 24);
    }
    return text;
}

constexpr std::size_t chunk = 100'000; ///< of the objects that go in parts

/// Seven parts, the last one smaller.
inline Push seven_parts() {
    return Push{some_bytes(6 * chunk + 77)};
}

/// Waits until the depot has seen so many requests that begin with this.
inline Awaitable<> until_seen(UploadFixture& box, std::string request, int count) {
    while (box.depot.count(request) < count) {
        co_await async::sleep_for(std::chrono::milliseconds{1});
    }
}

inline void check_arrived(const UploadFixture& box, const Push& push) {
    CAPTURE(push.error ? push.error->message() : "");
    CHECK(push.done);
    CHECK(box.depot.content(push.oid) == push.content);
    CHECK(push.sent->load() == push.content.size());
    CHECK(push.note->reason.empty());
}

} // namespace wharf::test
