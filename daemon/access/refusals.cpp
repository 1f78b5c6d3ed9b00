#include "daemon/access/refusals.hpp"

#include "daemon/hub/hub_error.hpp"

#include <fmt/format.h>

namespace wharf::access {

Error refusal_without_token(Standing standing, const hub::RepoId& repo) {
    if (standing == Standing::gated) {
        return Error{
            ErrorKind::gated,
            fmt::format("{} is gated and access has not been granted", hub::describe(repo)),
            "ask for access on the repo's page, then store a token of that account with `wharf "
            "auth login`"};
    }
    return Error{ErrorKind::repo_not_found,
                 fmt::format("{} does not exist or is not visible to you", hub::describe(repo)),
                 "check the name, or store a token that may see the repo with `wharf auth login`"};
}

} // namespace wharf::access
