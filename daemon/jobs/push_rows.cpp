#include "daemon/jobs/push_rows.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <ranges>
#include <string>
#include <string_view>
#include <vector>

namespace wharf::jobs {

namespace {

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    for (const auto line : std::views::split(text, '\n')) {
        if (!line.empty()) {
            lines.emplace_back(line.begin(), line.end());
        }
    }
    return lines;
}

std::string to_lines(const std::vector<std::string>& texts) {
    return fmt::format("{}", fmt::join(texts, "\n"));
}

} // namespace

PushRows::PushRows(sqlite::Database& database)
    : insert_{database, "INSERT INTO push (job, upload, summary, description, parent, create_pr, "
                        "make_repo, is_private, attached, commits, files, bytes_sent, "
                        "pull_request, warnings) "
                        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
      update_{database, "UPDATE push SET commits = ?, files = ?, bytes_sent = ?, "
                        "pull_request = ?, warnings = ? WHERE job = ?"},
      find_{database, "SELECT upload, summary, description, parent, create_pr, make_repo, "
                      "is_private, attached, commits, files, bytes_sent, pull_request, warnings "
                      "FROM push WHERE job = ?"},
      uploads_{database, "SELECT upload FROM push JOIN job ON job.id = push.job "
                         "WHERE job.state NOT IN ('done', 'cancelled')"},
      remove_{database, "DELETE FROM push WHERE job = ?"} {}

void PushRows::add(std::uint64_t job, const CommitOrder& push) {
    const auto& outcome = push.outcome;
    insert_.run(job, push.upload, push.summary, push.description, push.parent, push.create_pr,
                push.create, push.is_private, push.attached, outcome.commits, outcome.files,
                outcome.bytes_sent, outcome.pull_request, to_lines(outcome.warnings));
}

void PushRows::change(std::uint64_t job, const UploadOutcome& outcome) {
    update_.run(outcome.commits, outcome.files, outcome.bytes_sent, outcome.pull_request,
                to_lines(outcome.warnings), job);
}

void PushRows::read(std::uint64_t job, CommitOrder& push) {
    for (const sqlite::Row row : find_.use(job)) {
        int column = 0;
        const auto count = [&] { return static_cast<std::uint64_t>(row.integer(column++)); };
        const auto flag = [&] { return row.integer(column++) != 0; };
        const auto text = [&] { return std::string{row.text(column++)}; };
        push.upload = count();
        push.summary = text();
        push.description = text();
        push.parent = text();
        push.create_pr = flag();
        push.create = flag();
        push.is_private = flag();
        push.attached = flag();
        push.outcome.commits = count();
        push.outcome.files = count();
        push.outcome.bytes_sent = count();
        push.outcome.pull_request.reset();
        if (!row.is_null(column)) {
            push.outcome.pull_request = static_cast<std::uint64_t>(row.integer(column));
        }
        ++column;
        push.outcome.warnings = lines_of(text());
    }
}

std::vector<std::uint64_t> PushRows::uploads() {
    std::vector<std::uint64_t> found;
    for (const sqlite::Row row : uploads_.use()) {
        found.push_back(static_cast<std::uint64_t>(row.integer(0)));
    }
    return found;
}

} // namespace wharf::jobs
