#pragma once

#include <chrono>
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
        upload,   ///< a push is over: its commits are in, or it failed
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

/// Which events are taken down.
enum class AuditScope { restricted, all, none };

/// Takes events down. Never throws and never waits: the caller is the control thread.
class Audit {
  public:
    virtual ~Audit() = default;

    /// Whether events of that kind are taken down at all: where they are frequent, one that is not
    /// need not be put together.
    virtual bool wants(bool /*restricted*/) const noexcept { return true; }

    virtual void record(const AuditEvent& event) noexcept = 0;
};

/// An event as it is written down. Its texts are printable() already.
struct AuditRecord {
    std::chrono::system_clock::time_point time;
    AuditEvent::Action action{};
    uid_t uid = 0;
    std::string user; ///< the account's name; empty when the machine does not know it
    std::string repo;
    std::string detail;
    std::string result;
};

AuditRecord record_of(const AuditEvent& event, std::chrono::system_clock::time_point now);

/// Text from outside as it may stand in a line: bytes that are not printable ASCII, and the
/// backslash, are written as "\x0a", and what is very long is cut.
std::string printable(std::string_view text);

/// One line for people: "refuse alice (uid 1000) model org/name: gated (main)".
std::string to_line(const AuditRecord& record);

/// One JSON object, without a line end. The time is RFC 3339 in UTC, with milliseconds.
std::string to_json(const AuditRecord& record);

} // namespace wharf::access
