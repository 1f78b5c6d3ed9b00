#pragma once

#include "daemon/access/audit_trail.hpp"
#include "daemon/access/gatekeeper_options.hpp"
#include "daemon/config.hpp"
#include "daemon/jobs/job_table.hpp"
#include "daemon/net/http_client.hpp"
#include "daemon/scheduling/connections.hpp"
#include "daemon/transfer/lookups.hpp"
#include "daemon/transfer/object_upload.hpp"
#include "daemon/transfer/transfer_context.hpp"

#include <memory>

/// What the daemon's parts are told of the configuration: when they are made, and those that may
/// change while it runs at every reload.
namespace wharf {

net::HttpOptions http_options(const Config& config);
transfer::TransferOptions transfer_options(const Config& config);
scheduling::Connections::Limits connection_limits(const Config& config);
transfer::UploadOptions upload_options(const Config& config);
transfer::LookupOptions lookup_options(const Config& config);
jobs::JobOptions job_options(const Config& config);
access::GatekeeperOptions gatekeeper_options(const Config& config);
std::shared_ptr<access::AuditSink> audit_sink(const Config& config);

/// Of [transfer], what a running daemon takes over; the rest still waits for a restart.
void take_over(Config::Transfer& running, const Config::Transfer& wanted);

} // namespace wharf
