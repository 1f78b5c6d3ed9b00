#pragma once

#include "base/scope_exit.hpp"
#include "daemon/async/event.hpp"
#include "daemon/jobs/job_table.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wharf::jobs::test {

/// Work that is done when a test says so. It is found by the repo's name.
struct Script {
    async::Event changed;
    std::map<std::string, std::vector<Error>> errors; ///< thrown by the next runs, one each
    std::map<std::string, bool> done;                 ///< whether the runs may end
    std::map<std::string, int> runs;
    std::map<std::string, std::uint64_t> gained;
    std::map<std::string, hub::Token> tokens; ///< what the last run came with
    std::map<std::string, Priority> priorities;
    bool room = true;
    int running = 0;
};

class ScriptedWork final : public Work {
  public:
    ScriptedWork(Script& script, JobRecord& record) : script_{script}, record_{record} {}

    Awaitable<> run(std::function<void()> changed) override {
        const std::string repo = record_.order.repo.name;
        ++script_.runs[repo];
        script_.tokens[repo] = record_.order.token;
        script_.priorities[repo] = record_.priority;
        if (record_.order.commit.empty()) {
            record_.order.commit = std::string(40, 'c');
            changed();
        }
        auto& errors = script_.errors[repo];
        if (!errors.empty()) {
            const Error error = errors.front();
            errors.erase(errors.begin());
            throw error;
        }
        ++script_.running;
        const ScopeExit over{[this] { --script_.running; }};
        while (!script_.done[repo]) {
            co_await script_.changed.wait();
        }
    }
    Awaitable<bool> has_room() override { co_return script_.room; }
    Progress progress() const override {
        return {.counts = {.files_done = 1, .files_total = 2, .bytes_done = 3, .bytes_total = 4},
                .reason = {},
                .in_air = {}};
    }
    std::uint64_t gained() const noexcept override {
        return script_.gained[record_.order.repo.name];
    }
    bool is_held_up() const override { return false; }
    void priority_changed() override {
        script_.priorities[record_.order.repo.name] = record_.priority;
    }

  private:
    Script& script_;
    JobRecord& record_;
};

/// Keeps what it was told.
struct KeptAudit final : access::Audit {
    void record(const access::AuditEvent& event) noexcept override { events.push_back(event); }
    std::vector<access::AuditEvent> events;
};

/// A table of jobs as the daemon has one, with scripted work, until the end of the scope.
class Scene {
  public:
    explicit Scene(Executor executor, const std::filesystem::path& folder, JobOptions options = {},
                   unsigned char key = 1)
        : sealer_{access::Sealer::Key{key}}, store{executor, folder / "jobs.db"},
          table{{.executor = executor,
                 .store = store,
                 .sealer = sealer_,
                 .make_work =
                     [this](JobRecord& record) {
                         return std::make_unique<ScriptedWork>(script, record);
                     },
                 .options = options,
                 .audit = &audit,
                 .limits_of = [this](uid_t) { return limits; },
                 .stored_token = [this](uid_t uid) { return stored[uid]; },
                 .over = [this](const JobRecord& record) { over.push_back(record.id); }}} {
        table.start();
    }

    void finish(const std::string& repo) {
        script.done[repo] = true;
        script.changed.notify_all();
    }

  private:
    access::Sealer sealer_;

  public:
    access::QuotaLimits limits;         ///< of every account
    std::map<uid_t, hub::Token> stored; ///< tokens
    Script script;
    KeptAudit audit;
    std::vector<std::uint64_t> over; ///< jobs that the table said are
    JobStore store;
    JobTable table;
};

inline Order order(std::string repo, std::string token = {}, uid_t uid = 1000) {
    return {.uid = uid,
            .repo = {hub::RepoType::model, std::move(repo)},
            .revision = "main",
            .commit = std::string(40, 'a'),
            .token = hub::Token{std::move(token)}};
}

/// Lets everything happen that can happen now, on this thread and on the store's.
inline Awaitable<> settle(Scene* scene) {
    for (int i = 0; i < 30; ++i) {
        co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    }
    co_await scene->table.recorded();
}

} // namespace wharf::jobs::test
