#include "base/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdlib>
#include <memory>

namespace wharf::log {

namespace {

/// syslog priorities as journald reads them from the start of a line (sd-daemon(3)).
constexpr std::array<std::string_view, 4> priorities{"<7>", "<6>", "<4>", "<3>"};
constexpr std::array<spdlog::level::level_enum, 4> levels{spdlog::level::debug, spdlog::level::info,
                                                          spdlog::level::warn, spdlog::level::err};

struct Sink {
    std::shared_ptr<spdlog::logger> logger = make();
    bool journal = std::getenv("JOURNAL_STREAM") != nullptr;

    static std::shared_ptr<spdlog::logger> make() {
        auto made = std::make_shared<spdlog::logger>(
            "wharfd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_level(spdlog::level::warn);
        return made;
    }
};

Sink& sink() {
    static Sink instance; // the process has one stderr
    return instance;
}

std::string escaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
        } else {
            out.push_back(c);
        }
    }
    return out;
}

} // namespace

void start(Level least) {
    auto& logger = *sink().logger;
    logger.set_level(levels[static_cast<std::size_t>(least)]);
    logger.set_pattern(sink().journal ? "%v" : "%Y-%m-%dT%H:%M:%S.%e%z %-7l %v");
    logger.flush_on(spdlog::level::debug);
}

bool enabled(Level level) noexcept {
    return sink().logger->should_log(levels[static_cast<std::size_t>(level)]);
}

void write(Level level, std::string_view domain, std::string_view text) noexcept {
    try {
        const auto index = static_cast<std::size_t>(level);
        sink().logger->log(levels[index], "{}{}: {}", sink().journal ? priorities[index] : "",
                           domain, escaped(text));
    } catch (...) { // see print(): logging never ends the work it describes
    }
}

} // namespace wharf::log
