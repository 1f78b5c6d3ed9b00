#include "daemon/store/partials.hpp"

#include "base/digest.hpp"
#include "base/error.hpp"
#include "base/log.hpp"
#include "base/units.hpp"
#include "daemon/store/layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <unordered_set>
#include <vector>

namespace wharf::store {

namespace {

constexpr std::string_view partial_suffix = ".partial";
constexpr std::string_view log_suffix = ".pieces";

std::string partial_name(std::string_view etag) {
    return fmt::format("{}{}", etag, partial_suffix);
}

std::string log_name(std::string_view etag) {
    return fmt::format("{}{}", etag, log_suffix);
}

/// The etag in the name of a partial file; empty if it is none.
std::string etag_of(std::string_view name) {
    if (!name.ends_with(partial_suffix)) {
        return {};
    }
    name.remove_suffix(partial_suffix.size());
    return is_blob_name(name) ? std::string{name} : std::string{};
}

/// Closed if there is none, or something that is no file of ours.
UniqueFd open_existing(const Directory& folder, const std::string& name) {
    constexpr int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    UniqueFd fd{adopt_fd, ::openat(folder.fd(), name.c_str(), O_RDWR | flags)};
    if (!fd && errno == EACCES) { // sealed, and then publishing failed
        const UniqueFd sealed{adopt_fd, ::openat(folder.fd(), name.c_str(), O_RDONLY | flags)};
        if (sealed && ::fchmod(sealed.value(), 0600) == 0) {
            fd = UniqueFd{adopt_fd, ::openat(folder.fd(), name.c_str(), O_RDWR | flags)};
        }
    }
    struct stat info{};
    const bool usable = fd && ::fstat(fd.value(), &info) == 0 && S_ISREG(info.st_mode);
    return usable ? std::move(fd) : UniqueFd{};
}

/// False if somebody has the file open. File systems without locks have none to ask for.
bool lock(int fd) {
    return ::flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

void require_lock(int fd, const std::string& etag) {
    if (!lock(fd)) {
        throw Error{ErrorKind::internal, fmt::format("{} is being written already", etag)};
    }
}

void remove_pair(const Directory& folder, const std::string& etag) {
    folder.remove(partial_name(etag)); // the file first: a log alone is known to be rubbish
    folder.remove(log_name(etag));
}

/// What of its size a file has no space for yet.
std::uint64_t unreserved(int fd) {
    struct stat info{};
    if (::fstat(fd, &info) != 0) {
        throw system_error("looking at an unfinished file", errno);
    }
    constexpr std::int64_t block = 512; // of st_blocks, whatever the file system's own
    return static_cast<std::uint64_t>(
        std::max<std::int64_t>(info.st_size - info.st_blocks * block, 0));
}

struct Aged {
    std::int64_t mtime_ns = 0;
    std::string etag;
    std::uint64_t size = 0;
};

/// All partial files that there are, those longest untouched first.
std::vector<Aged> by_age(const Directory& folder) {
    std::vector<Aged> found;
    for (const auto& name : folder.list()) {
        auto etag = etag_of(name);
        const auto entry = etag.empty() ? std::nullopt : folder.look(name);
        if (entry && entry->type == EntryType::file) {
            found.push_back({entry->stamp.mtime_ns, std::move(etag), entry->stamp.size});
        }
    }
    std::ranges::sort(found, {}, &Aged::mtime_ns);
    return found;
}

bool is_uploads_folder(const Directory& folder, const std::string& name) {
    if (name != layout::uploads) {
        return false;
    }
    const auto entry = folder.look(name);
    return entry && entry->type == EntryType::folder;
}

bool is_pair(const std::shared_ptr<const Directory>& folder, const Aged& partial) {
    return PieceLog::open(folder, log_name(partial.etag), partial.etag, partial.size).has_value();
}

} // namespace

std::unique_ptr<PartialFile> Partials::open(const std::string& etag, std::uint64_t size,
                                            std::uint64_t piece_size) {
    if (auto resumed = resume(etag, size)) {
        return resumed;
    }
    return create(etag, size, piece_size);
}

std::uint64_t Partials::reserved(const std::vector<std::string>& etags) const {
    const std::unordered_set<std::string_view> wanted{etags.begin(), etags.end()};
    std::uint64_t bytes = 0;
    for (const auto& partial : by_age(*folder_)) {
        bytes += wanted.contains(partial.etag) ? partial.size : 0;
    }
    return bytes;
}

/// Null if there is nothing that can be gone on with; then nothing of that name is there any more.
std::unique_ptr<PartialFile> Partials::resume(const std::string& etag, std::uint64_t size) {
    UniqueFd fd = open_existing(*folder_, partial_name(etag));
    if (fd) {
        require_lock(fd.value(), etag);
        auto log = PieceLog::open(folder_, log_name(etag), etag, size);
        if (log && stamp_of(fd.value()).size == size) {
            const auto lacking = unreserved(fd.value());
            auto file = std::make_unique<PartialFile>(folder_, partial_name(etag), etag, size,
                                                      std::move(fd), *std::move(log));
            if (lacking > 0) {
                space_.require(lacking);
                file->reserve();
            }
            ::futimens(file->fd(), nullptr); // used now: what keeps it from being removed
            return file;
        }
        remove_pair(*folder_, etag);
    }
    return nullptr;
}

std::unique_ptr<PartialFile> Partials::create(const std::string& etag, std::uint64_t size,
                                              std::uint64_t piece_size) {
    space_.require(size);
    auto file = std::make_unique<PartialFile>(folder_, partial_name(etag), etag, size);
    require_lock(file->fd(), etag);
    file->reserve();
    if (piece_size > 0 && size > piece_size) {
        file->keep_log(PieceLog::create(folder_, log_name(etag), etag, size, piece_size));
    }
    return file;
}

bool Partials::free_space(std::uint64_t bytes) {
    bool any = false;
    for (const auto& partial : by_age(*folder_)) {
        if (space_.available() >= bytes) {
            break;
        }
        const UniqueFd fd = open_existing(*folder_, partial_name(partial.etag));
        if (fd && lock(fd.value())) {
            remove_pair(*folder_, partial.etag);
            log::info("store", "removed what was there of {} ({}) to make room", partial.etag,
                      format_size(partial.size));
            any = true;
        }
    }
    return any;
}

void remove_unusable(const std::shared_ptr<const Directory>& folder, std::chrono::seconds keep) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    std::vector<std::string> kept;
    for (const auto& partial : by_age(*folder)) {
        const bool old = now - std::chrono::nanoseconds{partial.mtime_ns} > keep;
        if (!old && is_pair(folder, partial)) {
            kept.push_back(partial_name(partial.etag));
            kept.push_back(log_name(partial.etag));
        }
    }
    std::ranges::sort(kept);
    std::size_t removed = 0;
    for (const auto& name : folder->list()) {
        if (!is_uploads_folder(*folder, name) && !std::ranges::binary_search(kept, name)) {
            folder->remove(name);
            ++removed;
        }
    }
    if (removed + kept.size() > 0) {
        log::info("store", "{} unfinished blobs can be gone on with; removed {} other files",
                  kept.size() / 2, removed);
    }
}

} // namespace wharf::store
