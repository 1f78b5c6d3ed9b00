#pragma once

#include "base/unique_fd.hpp"
#include "daemon/access/audit_trail.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wharf::access {

/// One JSON object per line at the end of a file, which is made when it is missing, for its owner
/// alone, and never a link. Opened at the first record.
class FileSink final : public AuditSink {
  public:
    explicit FileSink(std::filesystem::path path) : path_{std::move(path)} {}
    void write(const AuditRecord& record) override;

  private:
    void open();

    std::filesystem::path path_;
    UniqueFd file_;
    bool torn_ = false; ///< the last line was written in part
};

/// Structured entries of the journal: MESSAGE and WHARF_ACTION, WHARF_UID, WHARF_USER, WHARF_REPO,
/// WHARF_DETAIL, WHARF_RESULT; those that are empty are left out.
class JournalSink final : public AuditSink {
  public:
    using Fields = std::vector<std::pair<std::string_view, std::string>>;
    /// Hands an entry to the journal; throws Error when that fails.
    using Send = std::function<void(const Fields&)>;

    explicit JournalSink(Send send) : send_{std::move(send)} {}
    void write(const AuditRecord& record) override;

  private:
    Send send_;
};

/// Lines of the ordinary log, for where there is nothing better.
class LogSink final : public AuditSink {
  public:
    void write(const AuditRecord& record) override;
};

} // namespace wharf::access
