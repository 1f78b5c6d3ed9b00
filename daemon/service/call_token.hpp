#pragma once

#include "daemon/access/vault.hpp"
#include "daemon/service/call.hpp"

namespace wharf::service {

/// The token that a call works with, and whose idea that was.
struct CallToken {
    hub::Token token; ///< may be empty
    bool is_stored = false;
};

/// Takes the parameter "token" out of the call, and the caller's stored token where there is none;
/// an empty one is none by choice. Throws unauthorized when the stored one cannot be used any more.
CallToken take_token(Call& call, const access::Vault& vault);
} // namespace wharf::service
