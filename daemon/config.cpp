#include "daemon/config.hpp"

#include "base/read_up_to.hpp"
#include "base/unique_fd.hpp"
#include "daemon/config_keys.hpp"
#include "daemon/config_limits.hpp"
#include "daemon/config_read.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <utility>

// Reads TOML: everything in the file must be a known key in a known table. All faults are collected
// and the first in the file is reported, because toml++ hands tables out sorted by name.

namespace wharf {

namespace config {

namespace {

/// The texts and whole numbers of a list; nothing when there is something else in it.
Value list_of(const toml::array& array) {
    std::vector<std::string> list;
    for (const auto& member : array) {
        if (const auto* text = member.as_string()) {
            list.push_back(text->get());
        } else if (const auto* number = member.as_integer()) {
            list.push_back(std::to_string(number->get()));
        } else {
            return {};
        }
    }
    return list;
}

Value value_of(const toml::node& node) {
    if (const auto* text = node.as_string()) {
        return text->get();
    }
    if (const auto* number = node.as_integer()) {
        return number->get();
    }
    if (const auto* flag = node.as_boolean()) {
        return flag->get();
    }
    if (const auto* array = node.as_array()) {
        return list_of(*array);
    }
    return {};
}

Table table_of(const toml::table& source) {
    Table table;
    table.line = source.source().begin.line;
    for (const auto& [name, node] : source) {
        auto& entry = table.entries.emplace_back();
        entry.name = name.str();
        entry.line = name.source().begin.line;
        entry.value = value_of(node);
        if (const auto* below = node.as_table()) {
            entry.tables.push_back(table_of(*below));
        } else if (node.is_array_of_tables()) {
            entry.list = true;
            for (const auto& member : *node.as_array()) {
                entry.tables.push_back(table_of(*member.as_table()));
            }
        }
    }
    return table;
}

class Reader {
  public:
    Reader(Config& config, const Home& home) : config_{config}, home_{home} {}

    void read(const toml::table& root) {
        for (const auto& [name, node] : root) {
            const auto* table = node.as_table();
            if (table && name.str() == "limits") {
                read_limits(table_of(*table), config_.limits, faults_);
            } else if (table && name.str() == "quota") {
                read_quota(table_of(*table), config_, faults_);
            } else if (table && is_table(name.str())) {
                read_table(name.str(), *table);
            } else {
                refuse(name, node);
            }
        }
    }

    const std::vector<Fault>& faults() const noexcept { return faults_; }

  private:
    void read_table(std::string_view table, const toml::table& entries) {
        for (const auto& [name, node] : entries) {
            const auto line = name.source().begin.line;
            const Key* key = find_key(table, name.str());
            if (key == nullptr) {
                const Key& near = nearest_key(table, name.str());
                add(line, "unknown key \"{}\" in [{}]; did you mean \"{}\"{}?", name.str(), table,
                    near.name, near.table == table ? "" : fmt::format(" in [{}]", near.table));
                continue;
            }
            const auto done = assign(*key, config_, value_of(node), home_);
            if (!done) {
                add(line, "[{}] {}: {}", table, name.str(), done.error().message());
            }
        }
    }

    /// Something at the top of the file that is not one of our tables.
    void refuse(const toml::key& name, const toml::node& node) {
        const auto line = name.source().begin.line;
        if (is_table(name.str())) {
            add(line, "\"{0}\" must be a table: write [{0}] above its keys", name.str());
        } else if (node.is_table() || node.is_array_of_tables()) {
            add(line, "unknown table [{}]; did you mean [{}]?", name.str(),
                nearest_table(name.str()));
        } else {
            const Key& near = nearest_key({}, name.str());
            add(line, "unknown key \"{}\" outside of any table; did you mean \"{}\" in [{}]?",
                name.str(), near.name, near.table);
        }
    }

    template <typename... Args>
    void add(toml::source_index line, fmt::format_string<Args...> format, Args&&... args) {
        faults_.push_back({line, fmt::format(format, std::forward<Args>(args)...)});
    }

    Config& config_;
    const Home& home_;
    std::vector<Fault> faults_;
};

} // namespace

Result<Config> read_text(std::string_view text, std::string_view file, Config defaults,
                         const Home& home) {
    const auto fault = [&](toml::source_index line, std::string_view message) {
        return Error{ErrorKind::invalid_request, fmt::format("{}:{}: {}", file, line, message),
                     "correct the file; wharfd --check-config says whether it is right"};
    };
    toml::table root;
    try {
        root = toml::parse(text);
    } catch (const toml::parse_error& error) {
        return fault(error.source().begin.line, error.description());
    }
    Reader reader{defaults, home};
    reader.read(root);
    if (const auto& faults = reader.faults(); !faults.empty()) {
        const auto first = std::ranges::min_element(faults, {}, &Fault::line);
        return fault(first->line, first->message);
    }
    return defaults;
}

namespace {

/// Far more than all keys and comments; what is larger is no configuration.
constexpr off_t largest_file = 1 << 20;

Error unreadable(const std::filesystem::path& file, std::string_view why) {
    return Error{ErrorKind::invalid_request, fmt::format("{}: {}", file.native(), why),
                 "name a readable configuration file"};
}

Error unreadable(const std::filesystem::path& file, int error_number) {
    return unreadable(file, std::generic_category().message(error_number));
}

/// Waits for nobody: a pipe in a file's place must not stop the daemon.
std::string text_of(const std::filesystem::path& file) {
    const UniqueFd fd{adopt_fd, ::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
    struct stat info{};
    if (!fd || ::fstat(fd.value(), &info) != 0) {
        throw unreadable(file, errno);
    }
    if (S_ISDIR(info.st_mode)) {
        throw unreadable(file, EISDIR);
    }
    if (!S_ISREG(info.st_mode) || info.st_size > largest_file) {
        throw unreadable(file, "no regular file, or larger than 1 MiB");
    }
    auto text = read_up_to(fd.value(), static_cast<std::size_t>(info.st_size));
    if (!text) {
        throw unreadable(file, errno);
    }
    return *std::move(text);
}

} // namespace

Config read_file(const std::filesystem::path& file, Config defaults, const Home& home) {
    return read_text(text_of(file), file.native(), std::move(defaults), home).value();
}

} // namespace config

unsigned default_io_threads() noexcept {
    return std::clamp(std::thread::hardware_concurrency(), 1U, 4U); // 0 where it is not known
}

Config Config::load(const std::filesystem::path& file) {
    return config::read_file(file, Config{}, std::nullopt);
}

std::vector<std::string> changes_needing_restart(const Config& running, const Config& wanted) {
    std::vector<std::string> changed;
    for (const auto& key : config::keys()) {
        if (!key.live && config::literal(key, running) != config::literal(key, wanted)) {
            changed.push_back(fmt::format("{}.{}", key.table, key.name));
        }
    }
    return changed;
}

} // namespace wharf
