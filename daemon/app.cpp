// Construction order is dependency order; run() starts serving, and shut_down() takes the same way
// back: no new clients, running calls may finish within the grace, then jobs pause, flights stop
// (their bytes stay resumable), questions to the Hub end, and the destructors close the rest.
#include "daemon/app.hpp"

#include "base/log.hpp"
#include "daemon/access/gatekeeper.hpp"
#include "daemon/access/known_accounts.hpp"
#include "daemon/access/policy.hpp"
#include "daemon/access/quota.hpp"
#include "daemon/access/refusal_trail.hpp"
#include "daemon/access/sealer.hpp"
#include "daemon/access/vault.hpp"
#include "daemon/app_options.hpp"
#include "daemon/async/blocking_pool.hpp"
#include "daemon/async/clock_watch.hpp"
#include "daemon/async/io_threads.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/jobs/downloads.hpp"
#include "daemon/jobs/uploads.hpp"
#include "daemon/limits_keeper.hpp"
#include "daemon/service/auth_calls.hpp"
#include "daemon/service/daemon_calls.hpp"
#include "daemon/service/dispatcher.hpp"
#include "daemon/service/download_calls.hpp"
#include "daemon/service/job_calls.hpp"
#include "daemon/service/quota_calls.hpp"
#include "daemon/service/server.hpp"
#include "daemon/service/upload_calls.hpp"
#include "daemon/systemd.hpp"
#include "daemon/transfer/hub_inquiry.hpp"
#include "daemon/transfer/hub_object_uploads.hpp"
#include "daemon/transfer/lanes.hpp"
#include "daemon/transfer/lookups.hpp"
#include "protocol/definitions.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <csignal>
#include <optional>
#include <sys/time.h>
#include <unistd.h>

namespace wharf {

namespace {

/// Threads for disk work, hashing and flushing. Hashing alone can keep all cores busy; the others
/// wait for the disk most of the time.
constexpr std::size_t pool_threads = 6;

/// Ends the process with 0 when the grace is over, whatever hangs then: a deaf client, a look-up of
/// a name in the system's resolver, a disk. What is in the air is resumable and what is published
/// is durable, so nothing is lost.
void end_within(std::chrono::milliseconds grace) {
    std::signal(SIGALRM, [](int) { std::_Exit(0); });
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(grace);
    const itimerval timer{
        .it_interval = {},
        .it_value = {.tv_sec = seconds.count(), .tv_usec = (grace - seconds).count() * 1000}};
    ::setitimer(ITIMER_REAL, &timer, nullptr);
}

} // namespace

struct App::Impl {
    Impl(Config c, Reload r);

    access::Rights admit(const access::Peer& peer);
    void listen();
    Awaitable<> handle_signals();
    Awaitable<> keep_house();
    Awaitable<> steer();
    void look_at_clocks();
    Awaitable<> watch_dog(std::chrono::microseconds period);
    Awaitable<> shut_down();
    void reload();

    Config config;
    Reload reload_config;
    net::Url endpoint;
    asio::io_context context{1};
    asio::signal_set signals{context, SIGTERM, SIGINT, SIGHUP};
    async::BlockingPool pool{pool_threads};
    async::BufferPool buffers;
    async::IoThreads threads;
    store::Store store;
    scheduling::RateGate gate;
    transfer::Lanes lanes;
    net::HttpClient http; ///< for questions; the control thread's own
    hub::HttpTransport questions;
    scheduling::Connections connections;
    scheduling::Bandwidth bandwidth{context.get_executor()};
    scheduling::Bandwidth upload_bandwidth{context.get_executor()};
    LimitsKeeper limits;
    transfer::Flights flights;
    transfer::Lookups lookups;
    transfer::HubObjectUploads objects;
    jobs::DiskRoom room{store, flights};
    transfer::HubInquiry inquiry;
    access::Policy policy;
    access::KnownAccounts accounts{context.get_executor()};
    access::AuditTrail audit;
    access::RefusalTrail refusals{audit};
    access::Sealer sealer;
    access::Vault vault;
    access::Quotas quotas;
    access::Gatekeeper gatekeeper;
    jobs::JobStore job_store;
    jobs::JobTable jobs;
    jobs::Downloads downloads;
    jobs::UploadStore upload_store;
    jobs::Uploads uploads;
    service::DaemonCalls daemon_calls;
    service::Dispatcher dispatcher{service::wharf_service()};
    std::optional<service::Server> server; ///< last, when the dispatcher knows all calls
    async::TaskGroup tasks{context.get_executor()};
    async::ClockWatch clocks{async::Clocks::now()};
    bool stopping = false;
};

App::Impl::Impl(Config c, Reload r)
    : config{std::move(c)}, reload_config{std::move(r)},
      endpoint{net::Url::parse(config.hub.endpoint).value()},
      buffers{config.transfer.buffer_budget}, threads{config.daemon.io_threads},
      store{{.cache_dir = config.cache.dir,
             .state_dir = config.daemon.state_dir,
             .lock_files = config.cache.lock_files,
             .listable = config.cache.listable,
             .min_free = config.cache.min_free},
            pool},
      lanes{threads, http_options(config), endpoint,
            [this](const hub::QuotaNews& news) {
                asio::post(context, [this, news] { gate.observe(news); });
            }},
      http{context.get_executor(), http_options(config)},
      questions{http, [this](const hub::QuotaNews& news) { gate.observe(news); }},
      connections{connection_limits(config)},
      limits{config.limits, pool,
             [this](scheduling::BandwidthLimits download, scheduling::BandwidthLimits upload) {
                 bandwidth.set_limits(std::move(download));
                 upload_bandwidth.set_limits(std::move(upload));
             }},
      flights{{.executor = context.get_executor(),
               .lanes = lanes,
               .store = store,
               .pool = pool,
               .buffers = buffers,
               .gate = gate,
               .connections = connections,
               .bandwidth = bandwidth,
               .endpoint = endpoint,
               .options = transfer_options(config)}},
      lookups{{.executor = context.get_executor(),
               .transport = questions,
               .endpoint = endpoint,
               .store = store,
               .gate = gate},
              lookup_options(config)},
      objects{{.executor = context.get_executor(),
               .lanes = lanes,
               .transport = questions,
               .asking = lookups.asking(),
               .pool = pool,
               .gate = gate,
               .connections = connections,
               .bandwidth = upload_bandwidth,
               .endpoint = endpoint,
               .options = upload_options(config)}},
      inquiry{lookups.asking()}, policy{config.access.rules, ::geteuid()},
      audit{context.get_executor(), accounts, config.audit.log, audit_sink(config)},
      sealer{
          access::box_key(config.daemon.state_dir, process_environment()("CREDENTIALS_DIRECTORY"))},
      vault{config.daemon.state_dir / "tokens.db", endpoint.to_string(), sealer},
      quotas{
          {.executor = context.get_executor(),
           .accounts = accounts,
           .database = config.daemon.state_dir / "quota.db",
           .owner = ::geteuid(),
           .present =
               [this](std::vector<std::string> etags) { return store.present(std::move(etags)); }},
          config.quota},
      gatekeeper{{.executor = context.get_executor(),
                  .inquiry = inquiry,
                  .audit = audit,
                  .database = config.daemon.state_dir / "access.db",
                  .owner = ::geteuid(),
                  .set_readers =
                      [this](hub::RepoId repo, store::Readers readers) {
                          return store.set_readers(std::move(repo), std::move(readers));
                      },
                  .stored_token = [this](uid_t uid) { return vault.token_of(uid); },
                  .cached_repos = [this] { return store.repos(); }},
                 gatekeeper_options(config)},
      job_store{context.get_executor(), config.daemon.state_dir / "jobs.db"},
      jobs{{.executor = context.get_executor(),
            .store = job_store,
            .sealer = sealer,
            .make_work =
                [this](jobs::JobRecord& record) {
                    return record.order.is_push() ? uploads.work_for(record)
                                                  : downloads.work_for(record);
                },
            .options = job_options(config),
            .audit = &audit,
            .limits_of = [this](uid_t uid) { return quotas.limits_of(uid); },
            .stored_token = [this](uid_t uid) { return vault.token_of(uid); },
            .over = [this](const jobs::JobRecord& record) { uploads.job_over(record); }}},
      downloads{{.executor = context.get_executor(),
                 .gate = gatekeeper,
                 .audit = audit,
                 .quotas = quotas,
                 .store = store,
                 .flights = flights,
                 .lookups = lookups,
                 .room = &room,
                 .pool = pool,
                 .files_at_once = config.transfer.max_connections},
                jobs},
      upload_store{config.daemon.state_dir / "uploads.db", sealer},
      uploads{{.executor = context.get_executor(),
               .gate = gatekeeper,
               .audit = audit,
               .quotas = quotas,
               .store = store,
               .staged = store.staged(),
               .lookups = lookups,
               .objects = objects,
               .uploads = upload_store,
               .pool = pool,
               .fetch = [this](jobs::JobRecord& record) { return downloads.work_for(record); }},
              jobs,
              job_store},
      daemon_calls{
          {.version = std::string{protocol::version()},
           .endpoint = config.hub.endpoint,
           .cache_dir = config.cache.dir.native(),
           .jobs = jobs,
           .flights = flights,
           .connections = connections,
           .clients = [this] { return server ? server->connections() : 0; },
           .bytes_received = [this] { return lanes.bytes_received() + http.bytes_received(); },
           .bytes_sent = [this] { return lanes.bytes_sent() + http.bytes_sent(); }}} {
    accounts.set_on_news([this](uid_t) { jobs.limits_changed(); });
    for (const auto definition : protocol::definitions()) {
        dispatcher.add_interface(definition);
    }
    service::add_download_calls(
        dispatcher, {.downloads = downloads, .vault = vault, .quotas = quotas, .audit = audit});
    service::add_upload_calls(
        dispatcher, {.uploads = uploads, .jobs = jobs, .vault = vault, .endpoint = endpoint});
    service::add_job_calls(dispatcher, {.jobs = jobs, .endpoint = endpoint});
    service::add_auth_calls(
        dispatcher,
        {.vault = vault,
         .audit = audit,
         .endpoint = config.hub.endpoint,
         .whoami = [this](hub::Token token) { return inquiry.whoami(std::move(token)); },
         .token_changed = [this](uid_t uid) { gatekeeper.forget_account(uid); }});
    service::add_quota_calls(
        dispatcher, {.quotas = quotas,
                     .accounts = accounts,
                     .jobs = jobs,
                     .staged_bytes = [this](uid_t uid) { return uploads.staged_bytes(uid); },
                     .pushers = [this] { return uploads.accounts(); }});
    daemon_calls.add_to(dispatcher);
    dispatcher.set_on_refusal(
        [this](const service::Call& call, const access::PolicyRefusal& refusal) {
            refusals.note(call.peer().uid, call.method(), refusal);
        });
    service::ServerOptions options;
    options.max_connections = config.daemon.max_clients;
    options.max_connections_per_user = config.daemon.max_clients_per_user;
    server.emplace(context.get_executor(), dispatcher, options,
                   [this](const access::Peer& peer) { return admit(peer); });
}

access::Rights App::Impl::admit(const access::Peer& peer) {
    try {
        return policy.admit(peer);
    } catch (const access::PolicyRefusal& refusal) {
        refusals.note(peer.uid, "connect", refusal);
        throw;
    }
}

/// On the sockets that systemd opened for us, else on one of our own.
void App::Impl::listen() {
    auto handed_over = systemd::listening_sockets();
    if (handed_over.empty()) {
        server->listen(service::ListeningSocket::open(
            {.path = config.daemon.socket.native(), .mode = 0666, .directory_mode = 0755}));
    }
    for (auto& socket : handed_over) {
        server->listen(service::ListeningSocket::adopt(std::move(socket)));
    }
}

Awaitable<> App::Impl::handle_signals() {
    for (;;) {
        const int signal = co_await signals.async_wait(asio::use_awaitable);
        if (signal == SIGHUP) {
            reload();
        } else if (stopping) {
            std::_Exit(1); // asked twice: the person does not want to wait
        } else {
            log::info("app", "stopping");
            systemd::notify_stopping();
            stopping = true;
            end_within(config.daemon.shutdown_grace);
            tasks.spawn("shutdown", shut_down());
        }
    }
}

Awaitable<> App::Impl::keep_house() {
    for (;;) {
        co_await async::sleep_for(std::chrono::seconds{1});
        daemon_calls.measure();
        buffers.trim();
        look_at_clocks();
        systemd::notify_status(daemon_calls.summary());
    }
}

/// While the machine slept its connections may have died, and nothing would tell for long.
void App::Impl::look_at_clocks() {
    const auto news = clocks.look(async::Clocks::now());
    if (news.set_by) {
        log::info("app", "the clock was set by {} s", news.set_by->count() / 1000);
    }
    if (news.away) {
        log::info("app", "back after {} s: checking all connections", news.away->count() / 1000);
        http.distrust_connections();
        lanes.distrust_connections();
        gatekeeper.wake();
    }
}

/// What adapts to what the network gives.
Awaitable<> App::Impl::steer() {
    for (;;) {
        co_await async::sleep_for(std::chrono::milliseconds{200});
        connections.tick(std::chrono::steady_clock::now());
    }
}

Awaitable<> App::Impl::watch_dog(std::chrono::microseconds period) {
    for (;;) {
        systemd::notify_watchdog();
        co_await async::sleep_for(period);
    }
}

void App::Impl::reload() {
    systemd::notify_reloading();
    try {
        Config wanted = reload_config();
        for (const auto& key : changes_needing_restart(config, wanted)) {
            log::warning("app", "{} was changed: takes effect after a restart", key);
        }
        config.daemon.log_level = wanted.daemon.log_level;
        config.hub.revision_ttl = wanted.hub.revision_ttl;
        take_over(config.transfer, wanted.transfer);
        log::start(config.daemon.log_level);
        config.limits = wanted.limits;
        limits.set(config.limits);
        flights.set_options(transfer_options(config));
        objects.set_options(upload_options(config));
        connections.set_limits(connection_limits(config));
        downloads.set_files_at_once(config.transfer.max_connections);
        lookups.set_options(lookup_options(config));
        config.jobs = wanted.jobs;
        jobs.set_options(job_options(config));
        config.access = wanted.access;
        policy.set(config.access.rules);
        gatekeeper.set_options(gatekeeper_options(config));
        config.quota = wanted.quota;
        quotas.set_rules(config.quota);
        jobs.limits_changed();
        config.audit = wanted.audit;
        audit.set(config.audit.log, audit_sink(config));
        log::info("app", "configuration reloaded");
    } catch (const Error& error) {
        log::error("app", "the configuration stays as it was: {}", error.message());
    }
    systemd::notify_ready();
}

Awaitable<> App::Impl::shut_down() {
    // Calls that only watch a long download use up what drain() gets; the rest is for winding up.
    co_await server->drain(config.daemon.shutdown_grace * 7 / 10);
    co_await jobs.stop();
    co_await uploads.stop();
    co_await objects.stop();
    co_await flights.stop();
    co_await gatekeeper.stop();
    co_await lookups.stop();
    co_await quotas.stop();
    co_await audit.stop();
    tasks.cancel(); // those of the house, this one among them
    context.stop();
}

App::App(Config config, Reload reload)
    : impl_{std::make_unique<Impl>(std::move(config), std::move(reload))} {}

App::~App() = default;

int App::run() {
    auto& impl = *impl_;
    impl.tasks.spawn("signals", impl.handle_signals());
    impl.tasks.spawn("house", impl.keep_house());
    impl.tasks.spawn("steering", impl.steer());
    impl.tasks.spawn("names in [access]", impl.policy.keep_names(impl.pool));
    impl.tasks.spawn("limits", impl.limits.keep_time());
    impl.tasks.spawn("limited users", impl.limits.keep_users());
    if (const auto period = systemd::watchdog_period()) {
        impl.tasks.spawn("watchdog", impl.watch_dog(*period));
    }
    impl.quotas.start();
    impl.gatekeeper.start();
    impl.uploads.start();
    impl.jobs.start();
    impl.listen();
    systemd::notify_ready();
    log::info("app", "wharfd {} serves {} from {}", protocol::version(), impl.endpoint.to_log(),
              impl.config.cache.dir.native());
    impl.context.run();
    impl.context.restart();
    impl.context.poll(); // the tasks' last steps
    log::info("app", "stopped");
    return 0;
}

} // namespace wharf
