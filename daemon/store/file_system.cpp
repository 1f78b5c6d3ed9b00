#include "daemon/store/file_system.hpp"

#include "base/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <utility>

namespace wharf::store {

std::string_view network_file_system(std::uint64_t magic) noexcept {
    // From statfs(2), linux/magic.h and the file systems' own sources.
    static constexpr std::array<std::pair<std::uint64_t, std::string_view>, 14> known{{
        {0x6969, "NFS"},
        {0x517b, "SMB"},
        {0xfe534d42, "SMB"},
        {0xff534d42, "CIFS"},
        {0x0bd00bd0, "Lustre"},
        {0x47504653, "GPFS"},
        {0x19830326, "BeeGFS"},
        {0x00c36400, "Ceph"},
        {0x5346414f, "AFS"},
        {0x6b414653, "AFS"},
        {0x01021997, "9P"},
        {0x7461636f, "OCFS2"},
        {0x01161970, "GFS2"},
        {0xaad7aaea, "PanFS"},
    }};
    const auto* found = std::ranges::find(known, magic, [](const auto& row) { return row.first; });
    return found == known.end() ? std::string_view{} : found->second;
}

std::string_view network_file_system_of(const std::filesystem::path& folder) {
    struct statfs info{};
    if (::statfs(folder.c_str(), &info) != 0) {
        throw system_error(fmt::format("looking at the file system of {}", folder.native()), errno);
    }
    // Some magic numbers use the top bit of 32, which f_type sign-extends on some machines.
    return network_file_system(static_cast<std::uint32_t>(info.f_type));
}

namespace {

std::optional<std::uint64_t> free_space(const std::filesystem::path& folder) {
    struct statvfs info{};
    if (::statvfs(folder.c_str(), &info) != 0) {
        return {};
    }
    return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

} // namespace

Error no_space(const std::filesystem::path& folder, std::uint64_t needed) {
    const auto free = free_space(folder);
    return Error{ErrorKind::no_space,
                 fmt::format("needs {}, {} free in {}", format_size(needed),
                             free ? format_size(*free) : "unknown", folder.native()),
                 "free some space there, then try again"};
}

void require_space(const std::filesystem::path& folder, std::uint64_t size) {
    const auto free = free_space(folder);
    if (free && *free < size) {
        throw no_space(folder, size);
    }
}

} // namespace wharf::store
