#pragma once

#include <chrono>

namespace wharf::access {

struct GatekeeperOptions {
    /// How long the Hub's word counts: that a repo is public, and that an account may read one.
    std::chrono::milliseconds grant_ttl = std::chrono::minutes{10};
    /// How long after its last proof a grant still serves when the Hub cannot be asked.
    std::chrono::milliseconds offline_grace = std::chrono::hours{24};
    /// How long after its last use a grant is renewed in the background.
    std::chrono::milliseconds renew_for = std::chrono::hours{12};
};

} // namespace wharf::access
