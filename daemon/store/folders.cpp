#include "daemon/store/folders.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "daemon/store/file_system.hpp"
#include "daemon/store/layout.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace wharf::store {

namespace {

namespace fs = std::filesystem;

void make_usable(fs::path& path, mode_t mode, std::string_view key) {
    const auto unusable = [&](int error) {
        return Error{ErrorKind::invalid_request,
                     system_error(fmt::format("the folder {} cannot be used", path.native()), error)
                         .message(),
                     fmt::format("set {} to a folder that this user can write to", key)};
    };
    std::error_code failed;
    path = fs::absolute(path, failed).lexically_normal();
    if (!path.has_filename()) { // "x/" and "x" are one folder, and must be one text
        path = path.parent_path();
    }
    fs::create_directories(path.parent_path(), failed);
    if (failed) {
        throw unusable(failed.value());
    }
    if (::mkdir(path.c_str(), mode) == 0) {
        ::chmod(path.c_str(), mode); // against the umask
    } else if (errno != EEXIST) {
        throw unusable(errno);
    }
    if (!fs::is_directory(path, failed)) {
        throw unusable(ENOTDIR);
    }
    if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) {
        throw unusable(errno);
    }
}

} // namespace

const fs::path& prepare_cache_dir(fs::path& path) {
    make_usable(path, 0755, "cache.dir");
    if (const auto network = network_file_system_of(path); !network.empty()) {
        log::warning("store", "the cache {} is on {}: other machines must not write to it",
                     path.native(), network);
    }
    return path;
}

const fs::path& prepare_state_dir(fs::path& path, const fs::path& cache_dir) {
    const auto below = fs::absolute(path).lexically_normal().lexically_relative(cache_dir);
    if (!below.empty() && *below.begin() != "..") {
        throw Error{ErrorKind::invalid_request,
                    fmt::format("the state folder {} is inside the cache", path.native()),
                    "set daemon.state_dir to a folder outside of cache.dir"};
    }
    make_usable(path, 0700, "daemon.state_dir");
    if (const auto network = network_file_system_of(path); !network.empty()) {
        throw Error{ErrorKind::invalid_request,
                    fmt::format("the state folder {} is on {}, where its database would break",
                                path.native(), network),
                    "set daemon.state_dir to a folder on a local disk; the cache may stay"};
    }
    return path;
}

void write_cachedir_tag(const Directory& cache, Staging& staging) noexcept {
    try {
        const std::string name{layout::cachedir_tag};
        if (!cache.look(name)) {
            staging.replace_file(cache, name, layout::cachedir_tag_content,
                                 Staging::Durability::none);
        }
    } catch (const Error& error) { // nobody's work depends on it
        log::warning("store", "{}", error.message());
    }
}

} // namespace wharf::store
