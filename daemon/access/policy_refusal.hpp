#pragma once

#include "base/error.hpp"

#include <string>
#include <utility>

namespace wharf::access {

/// What the rules of this machine refuse somebody, as opposed to what the Hub does: a forbidden
/// Error that is taken down in the audit where it becomes an answer.
class PolicyRefusal final : public Error {
  public:
    /// `repo` as the audit names it; empty where none is meant.
    explicit PolicyRefusal(std::string message, std::string hint, std::string repo = {})
        : Error{ErrorKind::forbidden, std::move(message), std::move(hint)}, repo_{std::move(repo)} {
    }

    const std::string& repo() const noexcept { return repo_; }

  private:
    std::string repo_;
};

} // namespace wharf::access
