#include "daemon/access/accounts.hpp"

#include <cerrno>
#include <charconv>
#include <grp.h>
#include <limits>
#include <pwd.h>
#include <system_error>
#include <type_traits>
#include <vector>

namespace wharf::access {

namespace {

using Number = uid_t;
static_assert(std::is_same_v<uid_t, gid_t>);

/// The number that -1 turns into means "no account" to the kernel, and is not one.
std::optional<Number> number_in(const std::string& text) {
    Number number = 0;
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, number);
    const bool is_number = parsed.ec == std::errc{} && parsed.ptr == end &&
                           number != std::numeric_limits<Number>::max();
    return is_number ? std::optional{number} : std::nullopt;
}

/// getpwnam_r() and getgrnam_r() in one shape. What an unknown name looks like depends on the
/// service that was asked, so the manual page lists these numbers beside the success without entry.
template <typename Entry, typename Find>
Result<std::optional<Number>> look_up(const std::string& name, Find find, Number Entry::* number) {
    if (const auto given = number_in(name)) {
        return given;
    }
    Entry entry{};
    Entry* found = nullptr;
    std::vector<char> buffer(1024);
    int failed = 0;
    while ((failed = find(name.c_str(), &entry, buffer.data(), buffer.size(), &found)) == ERANGE) {
        buffer.resize(2 * buffer.size());
    }
    if (found != nullptr) {
        return std::optional{entry.*number};
    }
    if (failed == 0 || failed == ENOENT || failed == ESRCH || failed == EBADF || failed == EPERM) {
        return std::optional<Number>{};
    }
    return Error{ErrorKind::unavailable,
                 "looking up " + name + ": " + std::generic_category().message(failed)};
}

} // namespace

Result<std::optional<uid_t>> find_user(const std::string& name) {
    return look_up(name, ::getpwnam_r, &passwd::pw_uid);
}

Result<std::optional<gid_t>> find_group(const std::string& name) {
    return look_up(name, ::getgrnam_r, &group::gr_gid);
}

} // namespace wharf::access
