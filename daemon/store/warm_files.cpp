#include "daemon/store/warm_files.hpp"

#include "daemon/store/layout.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>

namespace wharf::store {

namespace {

std::string pointer_path(const std::string& repo_folder, const std::string& commit,
                         const std::string& path) {
    return fmt::format("{}/{}/{}/{}", repo_folder, layout::snapshots, commit, path);
}

} // namespace

void WarmFiles::remember(const std::string& repo_folder, const std::string& commit,
                         const hub::TreeEntry& entry, const Stamp& verified) {
    if (files_.size() >= most_) {
        files_.clear();
    }
    files_.insert_or_assign(pointer_path(repo_folder, commit, entry.path),
                            Warm{entry.etag(), verified});
}

bool WarmFiles::still_in_place(const std::string& repo_folder, const std::string& commit,
                               const hub::TreeEntry& entry) const {
    const auto found = files_.find(pointer_path(repo_folder, commit, entry.path));
    if (found == files_.end() || found->second.etag != entry.etag()) {
        return false;
    }
    struct stat info{};
    return ::fstatat(cache_.fd(), found->first.c_str(), &info, 0) == 0 && S_ISREG(info.st_mode) &&
           to_stamp(info) == found->second.verified;
}

} // namespace wharf::store
