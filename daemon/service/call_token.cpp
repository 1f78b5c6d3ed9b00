#include "daemon/service/call_token.hpp"

namespace wharf::service {

CallToken take_token(Call& call, const access::Vault& vault) {
    if (auto given = call.take_secret("token")) {
        return {hub::Token{*std::move(given)}, false};
    }
    hub::Token stored = vault.usable_token_of(call.peer().uid).value();
    const bool is_stored = !stored.empty();
    return {std::move(stored), is_stored};
}

} // namespace wharf::service
