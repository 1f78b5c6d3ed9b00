#include "daemon/access/audit_sinks.hpp"

#include "base/error.hpp"
#include "base/log.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace wharf::access {

void FileSink::open() {
    constexpr int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    UniqueFd file{adopt_fd, ::open(path_.c_str(), flags, 0600)};
    if (!file) {
        throw system_error(fmt::format("opening the audit file {}", path_.native()), errno);
    }
    struct stat facts{};
    if (::fstat(file.value(), &facts) != 0 || !S_ISREG(facts.st_mode)) {
        throw Error{ErrorKind::storage,
                    fmt::format("the audit file {} is not a regular file", path_.native())};
    }
    file_ = std::move(file);
}

void FileSink::write(const AuditRecord& record) {
    if (!file_) {
        open();
    }
    // A line that was cut by a full disk ends here; the same record follows whole.
    const auto line = fmt::format("{}{}\n", torn_ ? "\n" : "", to_json(record));
    const auto count = ::write(file_.value(), line.data(), line.size());
    if (count < 0) {
        throw system_error(fmt::format("writing the audit file {}", path_.native()), errno);
    }
    torn_ = static_cast<std::size_t>(count) < line.size();
    if (torn_) {
        throw system_error(fmt::format("writing the audit file {}", path_.native()), ENOSPC);
    }
}

void JournalSink::write(const AuditRecord& record) {
    Fields fields{{"MESSAGE", to_line(record)},
                  {"WHARF_ACTION", std::string{name(record.action)}},
                  {"WHARF_UID", std::to_string(record.uid)}};
    const auto add = [&fields](std::string_view field, const std::string& text) {
        if (!text.empty()) {
            fields.emplace_back(field, text);
        }
    };
    add("WHARF_USER", record.user);
    add("WHARF_REPO", record.repo);
    add("WHARF_DETAIL", record.detail);
    add("WHARF_RESULT", record.result);
    send_(fields);
}

void LogSink::write(const AuditRecord& record) {
    log::info("audit", "{}", to_line(record));
}

} // namespace wharf::access
