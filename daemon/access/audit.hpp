#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace wharf::access {

/// Something that an administrator may want to know later: who did what, when and with what result.
/// Never holds a token.
struct AuditEvent {
    enum class Action {
        grant,    ///< the Hub said that this account may read a restricted repo
        refuse,   ///< somebody may not have what he asked for
        revoke,   ///< a grant ended before its time
        download, ///< files were brought or handed out
        login,
        logout,
        admin, ///< an administrator changed what belongs to somebody else
    };
    Action action{};
    uid_t uid = 0;          ///< who
    std::string repo;       ///< "model org/name"; empty where none is meant
    std::string detail;     ///< what exactly: revision, job, reason
    std::string result;     ///< "ok", or the kind of error by name ("gated")
    bool restricted = true; ///< whether it is about a restricted repo, or about rights as such
};

std::string_view name(AuditEvent::Action action) noexcept;

/// Takes events down. Never throws and never waits: the caller is the control thread.
class Audit {
  public:
    virtual ~Audit() = default;
    virtual void record(const AuditEvent& event) noexcept = 0;
};

} // namespace wharf::access
