#include "client/cli/dry_run.hpp"

#include "base/units.hpp"
#include "client/cli/io.hpp"
#include "client/cli/table.hpp"
#include "client/cli/text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace wharf::cli {

namespace {

struct Totals {
    std::size_t files = 0;
    std::uint64_t bytes = 0;
    std::size_t wanted_files = 0;
    std::uint64_t wanted_bytes = 0;
};

Totals sum_up(const Listing& listing, bool force) {
    Totals totals;
    for (const ListedFile& file : listing.files) {
        ++totals.files;
        totals.bytes += file.size;
        if (force || !file.cached) {
            ++totals.wanted_files;
            totals.wanted_bytes += file.size;
        }
    }
    return totals;
}

json::object to_json(const Listing& listing, const Selection& selection, bool force) {
    json::array files;
    for (const ListedFile& file : listing.files) {
        json::object row;
        row["file"] = file.name;
        row["size"] = file.size;
        row["etag"] = file.etag;
        row["cached"] = file.cached;
        row["will_download"] = force || !file.cached;
        files.push_back(std::move(row));
    }
    const Totals totals = sum_up(listing, force);
    json::object out;
    out["dry_run"] = true;
    out["repo"] = selection.repo;
    out["repo_type"] = selection.repo_type;
    out["revision"] = selection.revision;
    out["commit"] = listing.commit;
    out["snapshot"] = listing.snapshot;
    out["stale"] = listing.stale;
    out["total_files"] = totals.files;
    out["total_bytes"] = totals.bytes;
    out["download_files"] = totals.wanted_files;
    out["download_bytes"] = totals.wanted_bytes;
    out["files"] = std::move(files);
    return out;
}

std::string to_text(const Listing& listing, bool force) {
    const Totals totals = sum_up(listing, force);
    std::string out = fmt::format("[dry-run] Will download {} (out of {}) totalling {}.\n",
                                  count(totals.wanted_files, "file"), totals.files,
                                  format_size(totals.wanted_bytes));
    Table table{{"FILE", Align::left}, {"SIZE", Align::right}, {"STATE", Align::left}};
    for (const ListedFile& file : listing.files) {
        const bool wanted = force || !file.cached;
        table.add({file.name, format_size(file.size), wanted ? "to download" : "cached"});
    }
    return out + (listing.files.empty() ? "No files match.\n" : table.render());
}

} // namespace

void print_dry_run(const Listing& listing, const Selection& selection, bool force,
                   const Session& session) {
    Listing sorted = listing;
    std::ranges::sort(sorted.files, {}, &ListedFile::name);
    if (session.is(OutputFormat::json)) {
        print_json(to_json(sorted, selection, force));
        return;
    }
    if (session.is(OutputFormat::human)) {
        print_result(to_text(sorted, force));
        return;
    }
    std::string names;
    for (const ListedFile& file : sorted.files) {
        names += printable(file.name) + "\n";
    }
    print_result(names);
}

} // namespace wharf::cli
