#include "daemon/store/file_system.hpp"

#include "base/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <limits>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>
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

bool is_kernel_window(std::uint64_t magic) noexcept {
    // From linux/magic.h and the file systems' own sources.
    static constexpr std::array<std::uint64_t, 32> known{
        0x9fa0,     // procfs
        0x9fa1,     // openpromfs
        0x9fa2,     // usbdevfs
        0x62656572, // sysfs
        0x62656570, // configfs
        0x0027e0eb, // cgroup
        0x63677270, // cgroup 2
        0x07655821, // resctrl
        0x64626720, // debugfs
        0x74726163, // tracefs
        0x73636673, // securityfs
        0xf97cff8c, // selinuxfs
        0x43415d53, // smackfs
        0xcafe4a11, // bpf
        0xde5e81e4, // efivarfs
        0x6165676c, // pstore
        0x6e736673, // nsfs
        0x50494446, // pidfs
        0x42494e4d, // binfmt_misc
        0x6c6f6f70, // binder
        0x65735543, // fusectl
        0x6e667364, // nfsd
        0x67596969, // rpc_pipefs
        0xabba1974, // xenfs
        0x00000187, // autofs
        0x19800202, // mqueue
        0x00001cd1, // devpts
        0x09041934, // anonymous inodes
        0x534f434b, // sockets
        0x50495045, // pipes
        0x444d4142, // DMA buffers
        0x5345434d, // secret memory
    };
    return std::ranges::find(known, magic) != known.end();
}

namespace {

constexpr std::uint64_t usual_reserve = std::uint64_t{1} << 30;
constexpr std::uint64_t reserve_divisor = 50; // 2 %

struct Room {
    std::uint64_t free = 0;
    std::uint64_t total = 0; ///< 0: the file system does not say
};

Room room_of(const std::filesystem::path& folder) {
    struct statvfs info{};
    if (::statvfs(folder.c_str(), &info) != 0) {
        throw system_error(fmt::format("asking how much is free in {}", folder.native()), errno);
    }
    return {static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize,
            static_cast<std::uint64_t>(info.f_blocks) * info.f_frsize};
}

std::uint64_t reserve_of(const Room& room, const std::optional<std::uint64_t>& min_free) {
    return min_free.value_or(std::min(usual_reserve, room.total / reserve_divisor));
}

Error no_space(std::string message) {
    return Error{ErrorKind::no_space, std::move(message), "free some space there, then try again"};
}

} // namespace

Space::Space(std::filesystem::path folder, std::optional<std::uint64_t> min_free)
    : folder_{std::move(folder)}, min_free_{min_free} {}

std::uint64_t Space::available() const {
    const Room room = room_of(folder_);
    if (room.total == 0) {
        return std::numeric_limits<std::uint64_t>::max();
    }
    const auto reserve = reserve_of(room, min_free_);
    return room.free > reserve ? room.free - reserve : 0;
}

void Space::require(std::uint64_t bytes) const {
    if (available() < bytes) {
        throw lack_of(bytes);
    }
}

Error Space::lack_of(std::uint64_t bytes) const {
    const Room room = room_of(folder_);
    return no_space(fmt::format("needs {}, {} free in {}, of which {} are to stay free",
                                format_size(bytes), format_size(room.free), folder_.native(),
                                format_size(reserve_of(room, min_free_))));
}

Error disk_error(std::string_view doing, const std::string& folder, std::uint64_t needed,
                 int error_number) {
    if (error_number == EDQUOT) {
        return no_space(fmt::format("needs {}, more than the disk quota in {} allows",
                                    format_size(needed), folder));
    }
    if (error_number == ENOSPC) {
        return no_space(fmt::format("needs {}, {} free in {}", format_size(needed),
                                    format_size(room_of(folder).free), folder));
    }
    return system_error(doing, error_number);
}

void reserve_space(int fd, std::uint64_t size, const std::string& folder) {
    const auto length = static_cast<off_t>(size);
    int result = 0;
    do {
        result = size == 0 ? 0 : ::fallocate(fd, 0, 0, length);
    } while (result != 0 && errno == EINTR);
    // Not every file system can reserve (NFS before 4.2, some FUSE): at least give it its size.
    if (result != 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {
        result = ::ftruncate(fd, length);
    }
    if (result != 0) {
        throw disk_error(fmt::format("reserving space in {}", folder), folder, size, errno);
    }
}

} // namespace wharf::store
