#include "daemon/sqlite/move_aside.hpp"

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <system_error>

namespace wharf::sqlite {

std::filesystem::path move_aside(const std::filesystem::path& file) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
    const std::string broken = fmt::format("{}.broken-{}", file.native(), seconds);
    std::filesystem::rename(file, broken);
    for (const auto* suffix : {"-wal", "-shm"}) {
        std::error_code missing;
        std::filesystem::rename(file.native() + suffix, broken + suffix, missing);
    }
    return broken;
}

} // namespace wharf::sqlite
