#include "daemon/store/upload_staging.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/scope_exit.hpp"
#include "daemon/async/hop.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/store/content_hashes.hpp"
#include "daemon/store/intake.hpp"
#include "daemon/store/layout.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <fcntl.h>
#include <set>
#include <span>
#include <unistd.h>
#include <utility>

namespace wharf::store {

namespace {

/// How many parts of an upload are flushed at a time: they share the commits of the journal.
constexpr std::size_t flushes_at_once = 4;

/// Of one part so many are open together: the disk writes the others while one is waited for.
constexpr std::size_t flushed_together = 32;

/// So many files are open together while they become blobs.
constexpr std::size_t published_together = 256;

/// What is removed without giving others a turn.
constexpr std::size_t removed_together = 256;

Directory require_folder(const UploadFolders& folders, std::uint64_t upload) {
    auto folder = folders.open(upload);
    if (!folder) {
        throw Error{ErrorKind::storage,
                    fmt::format("what was staged for upload {} is gone", upload), "push it again"};
    }
    return *std::move(folder);
}

Error is_gone(const Directory& folder, const std::string& name) {
    return Error{ErrorKind::storage,
                 fmt::format("the staged file {} is gone", folder.path_of(name)), "push it again"};
}

UniqueFd open_staged(const Directory& folder, const std::string& name) {
    UniqueFd fd{adopt_fd, ::openat(folder.fd(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
    if (!fd) {
        throw is_gone(folder, name);
    }
    return fd;
}

/// Flushes files of a folder. One that cannot be flushed is removed: the kernel says so only once,
/// and nobody shall take it for whole.
void flush_some(const Directory& folder, std::span<const std::string> names) {
    std::vector<UniqueFd> open;
    for (const auto& name : names) {
        UniqueFd fd{adopt_fd,
                    ::openat(folder.fd(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
        if (!fd) {
            throw system_error(fmt::format("flushing {}", folder.path_of(name)), errno);
        }
        ::sync_file_range(fd.value(), 0, 0, SYNC_FILE_RANGE_WRITE);
        open.push_back(std::move(fd));
    }
    for (std::size_t i = 0; i < open.size(); ++i) {
        if (::fdatasync(open[i].value()) != 0) {
            const auto error =
                system_error(fmt::format("flushing {}", folder.path_of(names[i])), errno);
            folder.remove(names[i]);
            throw error;
        }
    }
}

std::string read_start(const Directory& folder, const std::string& name, std::size_t most) {
    auto start = folder.read_file(name, most);
    if (!start) {
        throw is_gone(folder, name);
    }
    return *std::move(start);
}

/// Of a file that was flushed.
Publication publication_of(std::shared_ptr<const Directory> folder, const PushedFile& pushed,
                           const std::string& repo_folder) {
    const auto& entry = pushed.entry;
    UniqueFd fd = open_staged(*folder, pushed.name);
    if (stamp_of(fd.value()).size != entry.size) {
        throw Error{ErrorKind::internal,
                    fmt::format("what was staged for {} is not {} bytes", entry.path, entry.size)};
    }
    Publication made;
    made.etag = entry.etag();
    made.repo_folder = repo_folder;
    made.file = std::make_unique<PartialFile>(std::move(folder), pushed.name, entry.etag(),
                                              entry.size, std::move(fd), std::nullopt);
    made.file->set_durable();
    return made;
}

/// None, and nothing of that name, if it is no folder.
std::optional<Directory> open_folder_or_remove(const Directory& root, const std::string& name) {
    const auto entry = root.look(name);
    if (entry && entry->type != EntryType::folder) {
        root.remove(name);
    }
    return entry && entry->type == EntryType::folder ? root.open(name) : std::nullopt;
}

/// False if something is in it.
bool remove_empty(const Directory& root, const std::string& name) {
    if (::unlinkat(root.fd(), name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) {
        return true;
    }
    if (errno != ENOTEMPTY && errno != EEXIST) {
        throw system_error(fmt::format("removing {}", root.path_of(name)), errno);
    }
    return false;
}

} // namespace

/// Files that are to be flushed; shared by the tasks that do it.
struct UploadStaging::Flush {
    Directory all; ///< the folder of folders
    Directory folder;
    std::vector<std::string> names;
    std::exception_ptr failure = {};
};

UploadStaging::UploadStaging(const Directory& cache, const Space& space, Shelf& shelf,
                             Publisher& publisher, async::BlockingPool& pool,
                             async::BlockingPool& disk)
    : folders_{cache, space}, shelf_{shelf}, publisher_{publisher}, pool_{pool}, disk_{disk},
      // Names go on where earlier runs cannot have come to.
      next_name_{static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch() /
                                            std::chrono::nanoseconds{1})} {}

async::ForeignCalls& UploadStaging::calls(const Executor& executor) {
    return calls_ ? *calls_ : calls_.emplace(executor);
}

std::string UploadStaging::new_name() {
    return fmt::format("{:x}", next_name_++);
}

Awaitable<StagedFile> UploadStaging::take(StagingOrder order) {
    auto& foreign = calls(co_await asio::this_coro::executor);
    const uid_t uid = order.uid;
    const std::uint64_t upload = order.upload;
    const auto intake = std::make_shared<Intake>(std::move(order), folders_, new_name(),
                                                 stamp_of(folders_.staging().fd()).device);
    ScopeExit give_up{[&] {
        if (!intake->abandon()) {
            foreign.start(uid, [intake] { intake->withdraw(); });
        }
    }};
    co_await foreign.run(uid, [intake] { intake->look(); });
    if (intake->may_be_blob()) {
        const Shelf::Recognized known = co_await disk_.run([&] {
            return shelf_.recognize(intake->stamp(), intake->may_be_linked(), folders_.make(upload),
                                    intake->name());
        });
        if (known.linked) {
            intake->was_linked(known.etag);
        } else {
            co_await foreign.run(uid, [intake, etag = known.etag] { intake->take(etag); });
        }
    }
    give_up.release();
    StagedFile file = std::move(intake->file());
    unflushed_[upload].push_back(file.name);
    co_return file;
}

Awaitable<AttachedFile> UploadStaging::attach(StagingOrder order) {
    auto& foreign = calls(co_await asio::this_coro::executor);
    const uid_t uid = order.uid;
    const auto intake = std::make_shared<Intake>(std::move(order), folders_, new_name(),
                                                 stamp_of(folders_.staging().fd()).device);
    co_await foreign.run(uid, [intake] { intake->require_attachable(); });
    co_return intake->attached();
}

Awaitable<StagedFile> UploadStaging::take_bytes(std::uint64_t upload, std::string content) {
    StagedFile file;
    file.name = new_name();
    file.size = content.size();
    file.sample = content.substr(0, sample_size);
    co_await pool_.run([&] {
        ContentHashes hashes{file.size};
        hashes.update(std::as_bytes(std::span{content}));
        file.hashes = hashes.finish();
        FreshFile target{folders_, file.name};
        target.write_at(0, std::as_bytes(std::span{content}), file.size);
        target.set_size(file.size);
        target.move_to(upload);
    });
    unflushed_[upload].push_back(file.name);
    co_return file;
}

Awaitable<> UploadStaging::flush(std::uint64_t upload) {
    auto found = unflushed_.extract(upload);
    if (!found) {
        co_return;
    }
    ScopeExit still_unflushed{[&] { keep_unflushed(upload, found.mapped()); }};
    const std::shared_ptr<Flush> flush =
        co_await pool_.run([&] { return open_for_flush(upload, found.mapped()); });
    if (flush) {
        const Executor here = co_await asio::this_coro::executor;
        co_await async::run_to_end_on(here, flush_all(flush));
    }
    still_unflushed.release();
}

/// What was not flushed after all, beside what was taken meanwhile.
void UploadStaging::keep_unflushed(std::uint64_t upload, const std::vector<std::string>& names) {
    auto& all = unflushed_[upload];
    all.insert(all.end(), names.begin(), names.end());
}

/// Null if nothing is there.
std::shared_ptr<UploadStaging::Flush>
UploadStaging::open_for_flush(std::uint64_t upload, std::vector<std::string> names) const {
    auto all = folders_.all();
    auto folder = folders_.open(upload);
    if (!all || !folder) {
        return nullptr;
    }
    return std::make_shared<Flush>(Flush{*std::move(all), *std::move(folder), std::move(names)});
}

Awaitable<> UploadStaging::flush_all(std::shared_ptr<Flush> flush) {
    const std::size_t count = flush->names.size();
    const std::size_t part = (count + flushes_at_once - 1) / flushes_at_once;
    async::TaskGroup parts{co_await asio::this_coro::executor};
    for (std::size_t begin = 0; begin < count; begin += part) {
        parts.spawn("flushing staged files",
                    flush_part(flush, begin, std::min(begin + part, count)));
    }
    co_await parts.join();
    if (flush->failure) {
        std::rethrow_exception(flush->failure);
    }
    co_await pool_.run([&] {
        flush->folder.sync();
        flush->all.sync();
        folders_.staging().sync();
    });
}

Awaitable<> UploadStaging::flush_part(std::shared_ptr<Flush> flush, std::size_t begin,
                                      std::size_t end) {
    const auto names = std::span<const std::string>{flush->names};
    try {
        for (; begin < end; begin += flushed_together) {
            const auto some = names.subspan(begin, std::min(flushed_together, end - begin));
            co_await pool_.run([&] { flush_some(flush->folder, some); });
        }
    } catch (...) { // rethrown above
        flush->failure = std::current_exception();
    }
}

Awaitable<UniqueFd> UploadStaging::open(std::uint64_t upload, std::string name) {
    UniqueFd fd =
        co_await pool_.run([&] { return open_staged(require_folder(folders_, upload), name); });
    co_return fd;
}

Awaitable<std::vector<std::string>>
UploadStaging::read_starts(std::uint64_t upload, std::vector<std::string> names, std::size_t most) {
    std::vector<std::string> starts;
    co_await pool_.run([&] {
        const Directory folder = require_folder(folders_, upload);
        for (const auto& name : names) {
            starts.push_back(read_start(folder, name, most));
        }
    });
    co_return starts;
}

Awaitable<> UploadStaging::publish(std::uint64_t upload, hub::RepoId repo,
                                   std::vector<PushedFile> files) {
    co_await flush(upload); // all contents are durable from here on
    const Executor here = co_await asio::this_coro::executor;
    const std::string repo_folder = layout::repo_folder(repo);
    std::span<const PushedFile> left{files};
    while (!left.empty()) {
        const auto some = left.first(std::min(published_together, left.size()));
        co_await async::run_to_end_on(here, publish_some(upload, repo_folder, some));
        left = left.subspan(some.size());
    }
}

Awaitable<> UploadStaging::publish_some(std::uint64_t upload, std::string repo_folder,
                                        std::span<const PushedFile> files) {
    const auto folder = co_await pool_.run(
        [&] { return std::make_shared<const Directory>(require_folder(folders_, upload)); });
    const std::vector<bool> there =
        co_await disk_.run([&] { return shelf_.have_or_share(repo_folder, files, *folder); });
    std::vector<Publication> publications;
    std::vector<std::string> blobs;
    std::exception_ptr failure;
    co_await pool_.run([&] {
        for (std::size_t i = 0; i < files.size(); ++i) {
            try {
                if (!there[i]) {
                    publications.push_back(publication_of(folder, files[i], repo_folder));
                }
                blobs.push_back(files[i].name);
            } catch (...) { // rethrown when the others are blobs
                failure = std::current_exception();
            }
        }
    });
    co_await publisher_.publish(std::move(publications));
    // Also after a rename: it leaves two names of one file as they are.
    co_await pool_.run([&] {
        for (const auto& name : blobs) {
            folder->remove(name);
        }
    });
    if (failure) {
        std::rethrow_exception(failure);
    }
}

Awaitable<> UploadStaging::discard(std::uint64_t upload) {
    unflushed_.erase(upload);
    co_await remove_folder(std::to_string(upload));
}

Awaitable<> UploadStaging::keep_only(std::vector<std::uint64_t> uploads) {
    std::set<std::string> kept;
    for (const auto upload : uploads) {
        kept.insert(std::to_string(upload));
    }
    const std::vector<std::string> names = co_await pool_.run([&] {
        const auto all = folders_.all();
        return all ? all->list() : std::vector<std::string>{};
    });
    std::size_t removed = 0;
    for (const auto& name : names) {
        if (!kept.contains(name)) {
            co_await remove_folder(name);
            ++removed;
        }
    }
    if (removed > 0) {
        log::info("store", "removed what {} ended uploads had left", removed);
    }
}

/// Or whatever has that name.
Awaitable<> UploadStaging::remove_folder(std::string name) {
    bool gone = false;
    while (!gone) { // again if something was staged meanwhile
        std::optional<Directory> folder;
        std::vector<std::string> names;
        co_await pool_.run([&] {
            const auto all = folders_.all();
            folder = all ? open_folder_or_remove(*all, name) : std::nullopt;
            names = folder ? folder->list() : std::vector<std::string>{};
        });
        for (std::size_t begin = 0; begin < names.size(); begin += removed_together) {
            co_await pool_.run([&] {
                const auto end = std::min(begin + removed_together, names.size());
                for (std::size_t i = begin; i < end; ++i) {
                    folder->remove(names[i]);
                }
            });
        }
        gone = co_await pool_.run([&] { return !folder || remove_empty(*folders_.all(), name); });
    }
}

} // namespace wharf::store
