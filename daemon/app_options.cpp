#include "daemon/app_options.hpp"

#include "daemon/access/audit_sinks.hpp"
#include "daemon/systemd.hpp"
#include "protocol/definitions.hpp"

#include <fmt/format.h>

namespace wharf {

net::HttpOptions http_options(const Config& config) {
    net::HttpOptions options;
    options.user_agent = fmt::format("wharf/{}", protocol::version());
    options.ca_file = config.hub.ca_file.native();
    options.proxy = config.hub.proxy;
    options.no_proxy = config.hub.no_proxy;
    options.connect_timeout = config.hub.connect_timeout;
    options.tls_timeout = config.hub.connect_timeout;
    options.first_byte_timeout = config.hub.first_byte_timeout;
    options.stall_timeout = config.transfer.stall_timeout;
    options.min_speed = config.transfer.min_speed;
    return options;
}

transfer::TransferOptions transfer_options(const Config& config) {
    transfer::TransferOptions options;
    options.piece_size = config.transfer.piece_size;
    options.max_connections_per_file = config.transfer.max_connections_per_file;
    options.others_write = config.cache.lock_files;
    return options;
}

transfer::UploadOptions upload_options(const Config& config) {
    transfer::UploadOptions options;
    options.max_connections_per_file = config.transfer.max_connections_per_file;
    return options;
}

scheduling::Connections::Limits connection_limits(const Config& config) {
    return {.overall = config.transfer.max_connections,
            .per_host = config.transfer.max_connections_per_host};
}

void take_over(Config::Transfer& running, const Config::Transfer& wanted) {
    running.max_connections = wanted.max_connections;
    running.max_connections_per_host = wanted.max_connections_per_host;
    running.max_connections_per_file = wanted.max_connections_per_file;
    running.piece_size = wanted.piece_size;
}

jobs::JobOptions job_options(const Config& config) {
    return {.max_running = config.jobs.max_running,
            .history_age = config.jobs.history_age,
            .history_count = config.jobs.history_count};
}

access::GatekeeperOptions gatekeeper_options(const Config& config) {
    return {.grant_ttl = config.access.grant_ttl,
            .offline_grace = config.access.offline_grace,
            .renew_for = config.access.renew_for};
}

std::shared_ptr<access::AuditSink> audit_sink(const Config& config) {
    if (!config.audit.file.empty()) {
        return std::make_shared<access::FileSink>(config.audit.file);
    }
    if (systemd::has_journal()) {
        return std::make_shared<access::JournalSink>(systemd::journal_send);
    }
    return std::make_shared<access::LogSink>();
}

transfer::LookupOptions lookup_options(const Config& config) {
    transfer::LookupOptions options;
    options.revision_ttl = config.hub.revision_ttl;
    return options;
}

} // namespace wharf
