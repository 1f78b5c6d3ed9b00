#include "daemon/store/doors.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "daemon/store/acl.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <iterator>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace wharf::store {

namespace {

constexpr mode_t open_to_all = 0755;
constexpr mode_t closed = 0700;

bool lets_anybody_in(const Readers& readers) {
    return readers.everyone || !readers.uids.empty();
}

uid_t owner_of(const Directory& folder) {
    struct stat info{};
    if (::fstat(folder.fd(), &info) != 0) {
        throw system_error(fmt::format("looking at {}", folder.path()), errno);
    }
    return info.st_uid;
}

void require_plain_mode(const Directory& folder, mode_t mode) {
    if (!has_plain_mode(folder.fd(), mode)) {
        set_plain_mode(folder.fd(), mode);
    }
}

/// What file systems say when an ACL has more entries than they can keep: ext4 about 500 (those of
/// one block), XFS about 5,000, the kernel about 8,000.
bool is_too_long(int error) {
    return error == ENOSPC || error == E2BIG || error == ERANGE || error == EDQUOT;
}

} // namespace

std::optional<Doors::State> Doors::state_of(const std::string& repo_folder) const {
    struct stat info{};
    if (::fstatat(cache_.fd(), repo_folder.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return {};
    }
    return State{info.st_ino, info.st_ctim.tv_sec * 1'000'000'000 + info.st_ctim.tv_nsec};
}

Readers Doors::set(const std::string& repo_folder, Readers wanted) {
    wanted.uids.erase(::geteuid()); // the owner's rights are there anyway
    if (wanted.everyone) {
        wanted.uids.clear();
    }
    if (const auto known = doors_.find(repo_folder);
        known != doors_.end() && known->second.wanted == wanted && known->second.state &&
        known->second.state == state_of(repo_folder)) {
        return known->second.open_to;
    }
    doors_.erase(repo_folder);
    const auto folder = cache_.open(repo_folder);
    Readers open_to;
    if (folder) {
        open_to = open(repo_folder, *folder, wanted);
    } else if (wanted.everyone || acls_) {
        open_to = wanted; // when there is something to read: see keep()
    }
    if (lets_anybody_in(wanted)) {
        doors_.emplace(repo_folder, Door{std::move(wanted), open_to, state_of(repo_folder)});
    }
    return open_to;
}

std::optional<Readers> Doors::keep(const std::string& repo_folder) {
    const auto known = doors_.find(repo_folder);
    if (known == doors_.end() || known->second.state == state_of(repo_folder)) {
        return {};
    }
    return set(repo_folder, known->second.wanted);
}

Readers Doors::open(const std::string& repo_folder, const Directory& folder,
                    const Readers& wanted) {
    if (owner_of(folder) != ::geteuid()) {
        return open_foreign(repo_folder, wanted);
    }
    if (wanted.everyone) {
        require_plain_mode(folder, open_to_all);
        return wanted;
    }
    if (wanted.uids.empty() || !acls_) {
        require_plain_mode(folder, closed);
        return {};
    }
    return {.everyone = false, .uids = let_in_most(repo_folder, folder, wanted.uids)};
}

/// Only its owner can change it, and could do so again at any time.
Readers Doors::open_foreign(const std::string& repo_folder, const Readers& wanted) {
    if (!shared_ && !wanted.everyone && !wanted.uids.empty()) {
        throw Error{
            ErrorKind::storage,
            fmt::format("{} belongs to another account, so it cannot be guarded",
                        cache_.path_of(repo_folder)),
            "an administrator can give it to the daemon's account with chown -R, or move it "
            "away"};
    }
    if (told_.insert(repo_folder).second) {
        log::warning("store", "{} belongs to another account: who may read it is up to that one",
                     repo_folder);
    }
    return {};
}

/// As many as the file system can note, if not all: those with the lowest numbers.
std::set<uid_t> Doors::let_in_most(const std::string& repo_folder, const Directory& folder,
                                   const std::set<uid_t>& uids) {
    if (lets_in(folder.fd(), uids)) {
        return uids;
    }
    int error = let_in(folder.fd(), uids);
    if (error == 0) {
        return uids;
    }
    std::set<uid_t> some;
    std::size_t too_many = uids.size();
    while (is_too_long(error) && too_many - some.size() > 1) {
        const auto middle =
            std::next(uids.begin(), static_cast<std::ptrdiff_t>((too_many + some.size()) / 2));
        std::set<uid_t> tried{uids.begin(), middle};
        const int outcome = let_in(folder.fd(), tried);
        if (outcome == 0) {
            some = std::move(tried);
        } else {
            too_many = tried.size();
            error = outcome;
        }
    }
    if (some.empty()) { // what it was before may have been wider
        set_plain_mode(folder.fd(), closed);
    }
    if (!is_too_long(error)) {
        throw system_error(fmt::format("letting accounts into {}", repo_folder), error);
    }
    if (told_.insert(repo_folder).second) {
        log::warning("store",
                     "{}: only {} of {} accounts fit into its ACL; the others get descriptors",
                     repo_folder, some.size(), uids.size());
    }
    return some;
}

} // namespace wharf::store
