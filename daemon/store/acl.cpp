// What others may do with a folder is one of two things. A plain mode, or an access ACL:
//
//     user::rwx  user:<uid>:r-x …  group::---  mask::r-x  other::---
//
// The kernel shows the mask as the mode's group bits, so such a folder looks like 0750; the
// folder's group may still not enter. An ACL is replaced in one step. It is taken away after the
// mode was set, because what is left without it are the mode's bits as they were.
#include "daemon/store/acl.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <acl/libacl.h>
#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <sys/acl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace wharf::store {

namespace {

constexpr const char* access_acl = "system.posix_acl_access"; // acl(5), xattr(7)
constexpr const char* default_acl = "system.posix_acl_default";

using Acl =
    std::unique_ptr<std::remove_pointer_t<acl_t>, decltype([](acl_t acl) { ::acl_free(acl); })>;

Acl acl_for(const std::set<uid_t>& uids) {
    std::string text = "u::rwx,g::---,m::r-x,o::---";
    for (const uid_t uid : uids) {
        text += fmt::format(",u:{}:r-x", uid);
    }
    return Acl{::acl_from_text(text.c_str())};
}

void remove_acl(int folder, const char* which) {
    if (::fremovexattr(folder, which) != 0 && errno != ENODATA && errno != EOPNOTSUPP) {
        throw system_error("taking away a folder's ACL", errno);
    }
}

} // namespace

void set_plain_mode(int folder, mode_t mode) {
    if (::fchmod(folder, mode) != 0) {
        throw system_error("setting a folder's mode", errno);
    }
    remove_acl(folder, access_acl);
    remove_acl(folder, default_acl);
}

bool has_plain_mode(int folder, mode_t mode) {
    struct stat info{};
    return ::fstat(folder, &info) == 0 && (info.st_mode & 07777) == mode &&
           ::fgetxattr(folder, access_acl, nullptr, 0) < 0;
}

int let_in(int folder, const std::set<uid_t>& uids) {
    const Acl acl = acl_for(uids);
    return acl && ::acl_set_fd(folder, acl.get()) == 0 ? 0 : errno;
}

bool lets_in(int folder, const std::set<uid_t>& uids) {
    const Acl acl = acl_for(uids);
    const Acl present{::acl_get_fd(folder)};
    return acl && present && ::acl_cmp(acl.get(), present.get()) == 0;
}

bool try_acls(int folder) {
    const std::set<uid_t> self{::geteuid()}; // an account that exists in every user namespace
    const bool works = let_in(folder, self) == 0 && lets_in(folder, self);
    set_plain_mode(folder, 0700);
    return works;
}

} // namespace wharf::store
