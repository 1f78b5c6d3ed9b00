#pragma once

#include "daemon/config_keys.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace wharf::config {

/// A table of a configuration file, as far as it matters to those who do not know TOML.
struct Table {
    struct Entry;
    std::vector<Entry> entries;
    std::uint32_t line = 0;
};

struct Table::Entry {
    std::string name;
    std::uint32_t line = 0;
    Value value;               ///< monostate where there are tables
    std::vector<Table> tables; ///< one [name], or each [[name]]
    bool list = false;         ///< written as [[name]]
};

/// Something in a configuration file that cannot be used.
struct Fault {
    std::uint32_t line;
    std::string message;
};

/// Reads [limits] and what is below it: tables for classes and users, and the schedule, which do
/// not fit the table of keys because their names or their number are free. Adds a fault for each
/// thing that cannot be used.
void read_limits(const Table& table, Limits& limits, std::vector<Fault>& faults);

/// The same for [quota] and its tables for users and groups.
void read_quota(const Table& table, Config& config, std::vector<Fault>& faults);

/// What cannot be a name or a number of a `kind` of account ("user", "group") on any machine;
/// whether one exists is not asked.
Result<void> check_account(std::string_view name, std::string_view kind);

} // namespace wharf::config
