#include "client/cli/local_dir.hpp"

#include "base/digest.hpp"
#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "client/cli/file_lock.hpp"
#include "client/cli/io.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <random>
#include <span>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace wharf::cli {

namespace {

constexpr std::string_view bookkeeping = ".cache/huggingface/";
constexpr std::string_view downloads = ".cache/huggingface/download/";

/// So that backup tools skip the folder (bford.info/cachedir).
constexpr std::string_view cachedir_tag = "Signature: 8a477f597d28d172789f06886806bc55\n"
                                          "# This file is a cache directory tag made by wharf.\n"
                                          "# See https://bford.info/cachedir/\n";

std::string bookkeeping_name(std::string_view name, std::string_view suffix) {
    return fmt::format("{}{}{}", downloads, name, suffix);
}

std::string temporary_name(std::string_view what) {
    std::random_device random;
    return fmt::format("{}.{:08x}{:08x}.incomplete", what, random(), random());
}

dev_t device_of(int folder) {
    struct stat info{};
    return ::fstat(folder, &info) == 0 ? info.st_dev : 0;
}

/// Renames, also when both names are links to one file, where rename(2) does nothing at all.
void move_file(int from, const std::string& from_name, int to, const std::string& to_name) {
    if (::renameat(from, from_name.c_str(), to, to_name.c_str()) != 0) {
        throw system_error("renaming it into place", errno);
    }
    ::unlinkat(from, from_name.c_str(), 0);
}

/// Writes a small file through a temporary one.
void replace_text(int folder, const std::string& name, std::string_view text) {
    const std::string temporary = temporary_name("wharf");
    ScopeExit remove{[&] { ::unlinkat(folder, temporary.c_str(), 0); }};
    const UniqueFd file{adopt_fd, ::openat(folder, temporary.c_str(),
                                           O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)};
    if (!file) {
        throw system_error(fmt::format("writing {}", name), errno);
    }
    write_all(file.value(), text);
    move_file(folder, temporary, folder, name);
}

void write_if_missing(int folder, const std::string& name, std::string_view text) {
    if (::faccessat(folder, name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
        replace_text(folder, name, text);
    }
}

/// The blob name of the file's content; empty when it is shorter or longer than `file.size`.
std::string hash(int fd, const LocalFile& file, const CopyProgress& progress) {
    BlobHasher hasher{file.etag, file.size};
    std::vector<std::byte> buffer(1 << 20);
    std::uint64_t sum = 0;
    for (;;) {
        const ssize_t n = ::read(fd, buffer.data(), buffer.size());
        if (n < 0 && errno != EINTR) {
            throw system_error("reading", errno);
        }
        if (n == 0) {
            return sum == file.size ? hasher.finish() : std::string{};
        }
        const auto got = static_cast<std::size_t>(std::max<ssize_t>(n, 0));
        sum += got;
        hasher.update(std::span{buffer}.first(got));
        progress(got);
    }
}

} // namespace

LocalDir::LocalDir(const std::string& path, std::string commit)
    : tree_{path}, commit_{std::move(commit)} {
    const UniqueFd folder = tree_.open_parent(bookkeeping);
    write_if_missing(folder.value(), "CACHEDIR.TAG", cachedir_tag);
    write_if_missing(folder.value(), ".gitignore", "*");
}

LocalState LocalDir::check(const LocalFile& file, const CopyProgress& progress) {
    const UniqueFd folder = tree_.find_parent(file.name);
    if (!folder) {
        return LocalState::missing;
    }
    // Not blocking: what is there may be a pipe.
    const UniqueFd present{adopt_fd, ::openat(folder.value(), base_name(file.name).c_str(),
                                              O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    struct stat info{};
    if (!present || ::fstat(present.value(), &info) != 0 || !S_ISREG(info.st_mode)) {
        return LocalState::missing;
    }
    const bool same_size = static_cast<std::uint64_t>(info.st_size) == file.size;
    const auto metadata = read_metadata(file.name);
    if (metadata && covers(*metadata, info.st_mtim)) {
        if (metadata->etag != file.etag || !same_size) {
            return LocalState::older;
        }
        if (metadata->commit != commit_) {
            write_metadata(file);
        }
        return LocalState::current;
    }
    if (!same_size || hash(present.value(), file, progress) != file.etag) {
        return LocalState::edited;
    }
    write_metadata(file);
    return LocalState::current;
}

CopyMethod LocalDir::place(const LocalFile& file, const CopySource& source,
                           const CopyProgress& progress) {
    const UniqueFd folder = tree_.open_parent(file.name);
    const std::string name = base_name(file.name);
    const UniqueFd beside = tree_.open_parent(bookkeeping_name(file.name, ""));
    const FileLock lock{beside.value(), name + ".lock", [&] { progress(0); }};

    const bool one_device = device_of(folder.value()) == device_of(beside.value());
    const int staging = one_device ? beside.value() : folder.value();
    const std::string temporary = temporary_name(file.etag);
    const CopyMethod method = copy_file(source, staging, temporary, progress);
    ScopeExit remove{[&] { ::unlinkat(staging, temporary.c_str(), 0); }};
    // A hard link brings the blob's old time along: metadata of the version before would seem to
    // cover it.
    ::unlinkat(beside.value(), (name + ".metadata").c_str(), 0);
    move_file(staging, temporary, folder.value(), name);
    write_metadata(file);
    return method;
}

void LocalDir::keep_listing(const std::string& snapshot) {
    const std::string path = fmt::format("{}/../../trees/{}.json", snapshot, commit_);
    CopySource source;
    source.file = UniqueFd{adopt_fd, ::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    struct stat info{};
    if (!source.file || ::fstat(source.file.value(), &info) != 0) {
        return;
    }
    source.size = static_cast<std::uint64_t>(info.st_size);
    const UniqueFd folder = tree_.open_parent(fmt::format("{}trees/", bookkeeping));
    const std::string temporary = temporary_name("wharf");
    copy_file(source, folder.value(), temporary, [](std::uint64_t) {});
    ScopeExit remove{[&] { ::unlinkat(folder.value(), temporary.c_str(), 0); }};
    move_file(folder.value(), temporary, folder.value(), commit_ + ".json");
}

std::optional<LocalMetadata> LocalDir::read_metadata(std::string_view name) const {
    const std::string path = bookkeeping_name(name, ".metadata");
    const UniqueFd folder = tree_.find_parent(path);
    const UniqueFd file{adopt_fd, folder ? ::openat(folder.value(), base_name(path).c_str(),
                                                    O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
                                         : -1};
    std::string text(1024, '\0'); // ours have some 130 characters
    const ssize_t n = file ? ::read(file.value(), text.data(), text.size()) : -1;
    if (n < 0) {
        return std::nullopt;
    }
    text.resize(static_cast<std::size_t>(n));
    return parse_local_metadata(text);
}

void LocalDir::write_metadata(const LocalFile& file) {
    const std::string path = bookkeeping_name(file.name, ".metadata");
    const UniqueFd folder = tree_.open_parent(path);
    LocalMetadata metadata{commit_, file.etag, {}};
    ::clock_gettime(CLOCK_REALTIME, &metadata.saved);
    replace_text(folder.value(), base_name(path), format_local_metadata(metadata));
}

} // namespace wharf::cli
