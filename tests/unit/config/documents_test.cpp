#include "daemon/config_keys.hpp"
#include "daemon/config_read.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

// The sample and the page for administrators say the same as the table of keys.

using wharf::Config;
namespace config = wharf::config;

namespace {

using Names = std::vector<std::pair<std::string, std::string>>; // table, key

std::vector<std::string> lines_of(const std::string& path) {
    std::ifstream in{WHARF_SOURCE_ROOT "/" + path};
    REQUIRE(in.is_open());
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    return lines;
}

Names table_names() {
    Names names;
    for (const auto& key : config::keys()) {
        names.emplace_back(key.table, key.name);
    }
    return names;
}

/// The sample with its values in force: they stand behind "#" without a space, prose behind "# ".
std::string without_comment_marks(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) {
        const bool value = line.size() > 1 && line[0] == '#' && line[1] != ' ';
        text += (value ? line.substr(1) : line) + '\n';
    }
    return text;
}

/// Defaults as on a machine with 4 cores, which is what the documents show.
Config documented() {
    Config config;
    config.daemon.io_threads = 4;
    return config;
}

} // namespace

TEST_CASE("the sample shows every key with its default and changes nothing by itself") {
    const auto lines = lines_of("config/wharfd.toml");
    std::string as_it_is;
    for (const auto& line : lines) {
        as_it_is += line + '\n';
    }
    CHECK(config::read_text(as_it_is, "sample", Config{}, {}).value() == Config{});

    Config scrambled; // so that a key that is missing from the sample shows
    for (const auto& key : config::keys()) {
        CAPTURE(key.name);
        const auto shown = fmt::format("#{} = {}", key.name, config::literal(key, documented()));
        CHECK(std::ranges::count(lines, shown) == 1);
    }
    const auto all = config::read_text(without_comment_marks(lines), "sample", scrambled, {});
    CHECK(all.value() == documented());
}

TEST_CASE("docs/configuration.md lists exactly the known keys, their defaults and their help") {
    Names listed;
    std::string table;
    const auto lines = lines_of("docs/configuration.md");
    for (const auto& line : lines) {
        if (line.starts_with("## ")) {
            const bool of_a_table = line.starts_with("## `[");
            table = of_a_table ? line.substr(5, line.find(']') - 5) : "";
        } else if (!table.empty() && line.starts_with("| `")) {
            listed.emplace_back(table, line.substr(3, line.find('`', 3) - 3));
        }
    }
    CHECK(listed == table_names());
    for (const auto& key : config::keys()) {
        const auto row =
            fmt::format("| `{}` | `{}` | {} | {} |", key.name, config::literal(key, documented()),
                        key.live ? "reload" : "restart", key.help);
        CAPTURE(row);
        CHECK(std::ranges::count(lines, row) == 1);
    }
}

TEST_CASE("a value as it is written is read back as the same value") {
    Config config;
    config.hub.no_proxy = R"(a"b\c)";
    config.cache.dir = "/a\tb\n\x7f\"";
    config.transfer.piece_size = 65'537;
    config.hub.connect_timeout = std::chrono::milliseconds{90'500};
    for (const auto& key : config::keys()) {
        const auto text =
            fmt::format("[{}]\n{} = {}", key.table, key.name, config::literal(key, config));
        CAPTURE(text);
        const auto back = config::read_text(text, "x", config, {});
        CHECK(back.value() == config);
    }
}

TEST_CASE("help is one line without a stop") {
    for (const auto& key : config::keys()) {
        CAPTURE(key.name);
        CHECK_FALSE(key.help.empty());
        CHECK(key.help.size() <= 90);
        CHECK(key.help.find('\n') == std::string_view::npos);
        CHECK_FALSE(key.help.ends_with('.'));
    }
}
