#include "client/cli/table.hpp"

#include "client/cli/text.hpp"

#include <algorithm>
#include <cassert>

namespace wharf::cli {

Table::Table(std::initializer_list<std::pair<const char*, Align>> columns) {
    rows_.emplace_back();
    for (const auto& [name, alignment] : columns) {
        rows_.front().emplace_back(name);
        alignments_.push_back(alignment);
    }
}

void Table::add(const std::vector<std::string>& cells) {
    assert(cells.size() == alignments_.size());
    std::vector<std::string> row;
    row.reserve(cells.size());
    for (const std::string& cell : cells) {
        row.push_back(printable(cell));
    }
    rows_.push_back(std::move(row));
}

std::string Table::render() const {
    std::vector<std::size_t> widths(alignments_.size());
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], display_width(row[i]));
        }
    }
    std::string out;
    for (const auto& row : rows_) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            const std::string padding(widths[i] - display_width(row[i]), ' ');
            line += i == 0 ? "" : "  ";
            line += alignments_[i] == Align::right ? padding + row[i] : row[i] + padding;
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + "\n";
    }
    return out;
}

} // namespace wharf::cli
