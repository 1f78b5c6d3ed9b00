#include "daemon/access/audit.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <iterator>

namespace wharf::access {

namespace {

constexpr std::size_t longest_text = 1024; ///< of what comes from outside

/// A member of the JSON object, where there is something to say.
void add_member(std::string& out, std::string_view name, const std::string& text) {
    if (text.empty()) {
        return;
    }
    fmt::format_to(std::back_inserter(out), ",\"{}\":\"", name);
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out.push_back('\\');
        }
        out.push_back(c);
    }
    out.push_back('"');
}

std::string format_time(std::chrono::system_clock::time_point time) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    const auto part = std::chrono::duration_cast<std::chrono::milliseconds>(time - seconds);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                       fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), part.count());
}

} // namespace

std::string_view name(AuditEvent::Action action) noexcept {
    switch (action) {
    case AuditEvent::Action::grant:
        return "grant";
    case AuditEvent::Action::refuse:
        return "refuse";
    case AuditEvent::Action::revoke:
        return "revoke";
    case AuditEvent::Action::download:
        return "download";
    case AuditEvent::Action::upload:
        return "upload";
    case AuditEvent::Action::login:
        return "login";
    case AuditEvent::Action::logout:
        return "logout";
    case AuditEvent::Action::admin:
        return "admin";
    }
    return "admin";
}

std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text.substr(0, longest_text)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte >= 0x7f || c == '\\') {
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
        } else {
            out.push_back(c);
        }
    }
    return text.size() > longest_text ? out + "..." : out;
}

AuditRecord record_of(const AuditEvent& event, std::chrono::system_clock::time_point now) {
    return {.time = now,
            .action = event.action,
            .uid = event.uid,
            .user = {},
            .repo = printable(event.repo),
            .detail = printable(event.detail),
            .result = printable(event.result)};
}

std::string to_line(const AuditRecord& record) {
    const auto who = record.user.empty() ? fmt::format("uid {}", record.uid)
                                         : fmt::format("{} (uid {})", record.user, record.uid);
    return fmt::format("{} {}{}{}: {}{}", name(record.action), who, record.repo.empty() ? "" : " ",
                       record.repo, record.result,
                       record.detail.empty() ? "" : fmt::format(" ({})", record.detail));
}

std::string to_json(const AuditRecord& record) {
    auto out = fmt::format("{{\"time\":\"{}\",\"action\":\"{}\",\"uid\":{}",
                           format_time(record.time), name(record.action), record.uid);
    add_member(out, "user", record.user);
    add_member(out, "repo", record.repo);
    add_member(out, "detail", record.detail);
    add_member(out, "result", record.result);
    return out + '}';
}

} // namespace wharf::access
