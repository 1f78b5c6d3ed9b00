#include "client/cli/call_token.hpp"

#include "client/cli/endpoint.hpp"
#include "client/cli/json_fields.hpp"
#include "client/cli/token.hpp"

namespace wharf::cli {

std::optional<std::string> search_token(const std::optional<std::string>& option,
                                        const Session& session, ProgressDisplay& display) {
    TokenSearch search = find_token(option, session.environment, read_token_file).value();
    if (search.warning) {
        display.warn(*search.warning);
    }
    return std::move(search.token);
}

void compare_endpoints(Daemon& daemon, const std::optional<std::string>& token,
                       const Session& session, ProgressDisplay& display) {
    const auto wanted = wanted_endpoint(session.environment);
    if (!wanted) {
        return;
    }
    const std::string daemons = text_member(daemon.call("org.wharf.Status"), "endpoint");
    if (const auto warning = check_endpoint(*wanted, daemons, token && !token->empty())) {
        display.warn(*warning);
    }
}

} // namespace wharf::cli
