#include "client/cli/local_download.hpp"

#include "base/error.hpp"
#include "base/units.hpp"
#include "client/cli/interrupts.hpp"
#include "client/cli/local_names.hpp"
#include "client/cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fcntl.h>

namespace wharf::cli {

namespace {

/// Names of files go into one message up to this many bytes; more are asked for as the user did.
constexpr std::size_t most_name_bytes = std::size_t{512} << 10;

/// Only large files have a sha256 for an etag; they are what nobody edits in place.
constexpr std::size_t large_etag_size = 64;

/// Shows the progress of work on files here, and stops it when that was asked for.
class FileWork {
  public:
    FileWork(ProgressDisplay& display, std::string state, const std::vector<LocalFile>& files)
        : display_{display}, start_{std::chrono::steady_clock::now()} {
        progress_.state = std::move(state);
        progress_.files_total = files.size();
        for (const LocalFile& file : files) {
            progress_.bytes_total += file.size;
        }
    }

    void begin(const LocalFile& file) {
        Interrupts::check();
        progress_.files = {{file.name, 0, file.size}};
    }

    void add(std::uint64_t bytes) {
        Interrupts::check();
        progress_.files.front().done += bytes;
        progress_.bytes_done += bytes;
        const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
        if (elapsed.count() > 0.2) { // what is quicker needs no progress
            const double speed = static_cast<double>(progress_.bytes_done) / elapsed.count();
            progress_.bytes_per_second = static_cast<std::uint64_t>(speed);
            display_.show(progress_);
        }
    }

    void end() { ++progress_.files_done; }

  private:
    ProgressDisplay& display_;
    Progress progress_;
    std::chrono::steady_clock::time_point start_;
};

std::vector<LocalFile> checked_files(const Listing& listing) {
    std::vector<LocalFile> files;
    for (const ListedFile& file : listing.files) {
        check_local_name(file.name).value();
        files.push_back({file.name, file.size, file.etag});
    }
    return files;
}

/// Asks for exactly the files that are wanted, unless that is all of them or too many to name.
Selection narrowed(const Selection& selection, const Listing& listing,
                   const std::vector<LocalFile>& wanted) {
    Selection out = selection;
    out.revision = listing.commit;
    std::size_t bytes = 0;
    for (const LocalFile& file : wanted) {
        bytes += file.name.size();
    }
    if (wanted.size() < listing.files.size() && bytes <= most_name_bytes) {
        out.files.clear();
        out.include.clear();
        out.exclude.clear();
        for (const LocalFile& file : wanted) {
            out.files.push_back(file.name);
        }
    }
    return out;
}

std::string placed_line(const std::array<std::size_t, 3>& methods, std::uint64_t bytes,
                        const std::string& folder) {
    const std::size_t files = methods[0] + methods[1] + methods[2];
    std::string out = fmt::format("{}, {} placed in {}", count(files, "file"), format_size(bytes),
                                  printable(folder));
    const char* separator = ": ";
    for (const auto& [method, how] : {std::pair{CopyMethod::reflink, "as reflinks"},
                                      std::pair{CopyMethod::hard_link, "as hard links"},
                                      std::pair{CopyMethod::copy, "copied"}}) {
        if (const std::size_t n = methods.at(static_cast<std::size_t>(method)); n > 0) {
            out += fmt::format("{}{} {}", separator, n, how);
            separator = ", ";
        }
    }
    return out;
}

} // namespace

LocalDownload::LocalDownload(Daemon& daemon, DownloadRequest request, ProgressDisplay& display)
    : daemon_{daemon}, request_{std::move(request)}, display_{display} {}

LocalOutcome LocalDownload::run(const std::string& path) {
    const Listing listing = list();
    std::vector<LocalFile> files = checked_files(listing); // all, before anything is written
    LocalDir folder{path, listing.commit};
    const std::vector<LocalFile> wanted = find_outdated(folder, std::move(files));
    LocalOutcome outcome{
        {listing.commit, listing.snapshot, {}, listing.stale, std::nullopt, std::nullopt, false},
        folder.path()};
    if (!wanted.empty()) {
        outcome.result.snapshot = fetch_missing(listing, wanted).snapshot;
        place_all(folder, wanted, outcome.result.snapshot);
    } else if (!listing.files.empty()) {
        display_.finish(fmt::format("{}: already in {}", count(listing.files.size(), "file"),
                                    printable(folder.path())));
    } else {
        display_.warn("no file matches");
    }
    folder.keep_listing(outcome.result.snapshot);
    for (const std::string& name : request_.selection.files) {
        outcome.result.files.push_back(fmt::format("{}/{}", folder.path(), name));
    }
    return outcome;
}

Listing LocalDownload::list() {
    Listing listing = list_files(daemon_, request_);
    if (listing.files.empty() && request_.selection.single_file) {
        throw Error{ErrorKind::file_not_found,
                    fmt::format("{} has no file '{}'", request_.selection.repo,
                                request_.selection.files.front())};
    }
    return listing;
}

std::vector<LocalFile> LocalDownload::find_outdated(LocalDir& folder,
                                                    std::vector<LocalFile> files) {
    if (request_.force) {
        return files;
    }
    FileWork work{display_, "checking", files};
    std::vector<LocalFile> outdated;
    for (LocalFile& file : files) {
        work.begin(file);
        const LocalState state = folder.check(file, [&](std::uint64_t n) { work.add(n); });
        work.end();
        if (state == LocalState::edited) {
            display_.warn(fmt::format("{}/{} was changed here; the repo's version takes its place",
                                      folder.path(), file.name));
        }
        if (state != LocalState::current) {
            outdated.push_back(std::move(file));
        }
    }
    display_.restart();
    return outdated;
}

DownloadResult LocalDownload::fetch_missing(const Listing& listing,
                                            const std::vector<LocalFile>& wanted) {
    DownloadRequest request = request_;
    request.selection = narrowed(request_.selection, listing, wanted);
    DownloadResult result = fetch(daemon_, request, display_);
    display_.finish();
    return result;
}

void LocalDownload::place_all(LocalDir& folder, const std::vector<LocalFile>& wanted,
                              const std::string& snapshot) {
    FileWork work{display_, "copying", wanted};
    std::array<std::size_t, 3> methods{};
    std::uint64_t bytes = 0;
    for (const LocalFile& file : wanted) {
        work.begin(file);
        const CopySource source = open_source(file, folder.commit(), snapshot);
        try {
            const CopyMethod method =
                folder.place(file, source, [&](std::uint64_t n) { work.add(n); });
            ++methods.at(static_cast<std::size_t>(method));
        } catch (const Error& error) {
            throw error.with_context(
                fmt::format("placing {}/{}", printable(folder.path()), printable(file.name)));
        }
        bytes += file.size;
        work.end();
    }
    display_.finish(placed_line(methods, bytes, folder.path()));
}

CopySource LocalDownload::open_source(const LocalFile& file, const std::string& commit,
                                      const std::string& snapshot) {
    CopySource source;
    source.size = file.size;
    source.may_hard_link = file.etag.size() == large_etag_size;
    source.path = fmt::format("{}/{}", snapshot, file.name);
    source.file = UniqueFd{adopt_fd, ::open(source.path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!source.file) { // not ours to see, or in another mount namespace: the daemon opens it
        Selection selection;
        selection.repo = request_.selection.repo;
        selection.repo_type = request_.selection.repo_type;
        selection.revision = commit;
        json::object parameters = selection_parameters(selection, request_.token);
        parameters["file"] = file.name;
        source.file = daemon_.open_file(std::move(parameters));
        source.path.clear();
    }
    return source;
}

} // namespace wharf::cli
