#pragma once

#include "daemon/access/audit.hpp"
#include "daemon/access/vault.hpp"
#include "daemon/service/dispatcher.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <sys/types.h>

namespace wharf::service {

/// What the calls about tokens need of the rest of the daemon.
struct AuthCallContext {
    access::Vault& vault;
    access::Audit& audit;
    std::string endpoint; ///< of the Hub, as people are told
    /// Asks the Hub whose a token is; throws unauthorized when it knows none such.
    std::function<Awaitable<hub::TokenOwner>(hub::Token)> whoami;
    /// Told when an account's stored token is gone or replaced: what it proved counts no more.
    std::function<void(uid_t)> token_changed;
    /// How many questions each account has on their way to the Hub.
    std::shared_ptr<std::map<uid_t, unsigned>> asking =
        std::make_shared<std::map<uid_t, unsigned>>();
};

/// Adds the methods of org.wharf.Auth. Requires: all that the context refers to outlives the
/// dispatcher.
void add_auth_calls(Dispatcher& dispatcher, AuthCallContext context);

} // namespace wharf::service
