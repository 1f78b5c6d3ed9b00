#include "client/cli/table.hpp"

#include "client/cli/text.hpp"

#include <algorithm>
#include <cassert>
#include <limits>
#include <numeric>

namespace wharf::cli {

namespace {

constexpr std::size_t gap = 2;

/// Sentences in the last column are not squeezed narrower than this while others can give way.
constexpr std::size_t least_last_column = 30;

/// The columns a line takes whose cells have these widths.
std::size_t line_width(const std::vector<std::size_t>& widths) {
    return std::accumulate(widths.begin(), widths.end(), gap * (widths.size() - 1));
}

} // namespace

void Table::add(const std::vector<std::string>& cells) {
    assert(cells.size() == columns_.size());
    std::vector<std::string> row;
    row.reserve(cells.size());
    for (const std::string& cell : cells) {
        row.push_back(printable(cell));
    }
    rows_.push_back(std::move(row));
}

std::string Table::render() const {
    return print(natural_shape());
}

std::string Table::render(std::size_t width) const {
    Shape shape = natural_shape();
    leave_out(shape, width);
    const std::size_t excess = line_width(shape.widths) - std::min(line_width(shape.widths), width);
    std::size_t& last = shape.widths.back();
    last = std::max(last - std::min(last, excess), std::min(last, least_last_column / 2));
    return print(shape);
}

Table::Shape Table::natural_shape() const {
    Shape shape;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        std::size_t widest = display_width(columns_[i].name);
        for (const auto& row : rows_) {
            widest = std::max(widest, display_width(row[i]));
        }
        shape.shown.push_back(i);
        shape.widths.push_back(widest);
    }
    return shape;
}

void Table::leave_out(Shape& shape, std::size_t width) const {
    const auto needed = [&] {
        std::vector<std::size_t> widths = shape.widths;
        widths.back() = std::min(widths.back(), least_last_column);
        return line_width(widths);
    };
    const auto rank = [&](std::size_t column) {
        return columns_[column].rank > 0 ? columns_[column].rank : std::numeric_limits<int>::max();
    };
    while (needed() > width) {
        const auto least = std::ranges::min_element(shape.shown, {}, rank);
        if (columns_[*least].rank == 0) {
            return;
        }
        shape.widths.erase(shape.widths.begin() + (least - shape.shown.begin()));
        shape.shown.erase(least);
    }
}

void Table::print_row(const std::vector<std::string>& row, const Shape& shape,
                      std::string& out) const {
    std::string line;
    for (std::size_t i = 0; i + 1 < shape.shown.size(); ++i) {
        const std::string& cell = row[shape.shown[i]];
        const std::string padding(shape.widths[i] - display_width(cell), ' ');
        line += columns_[shape.shown[i]].align == Align::right ? padding + cell : cell + padding;
        line.append(gap, ' ');
    }
    const std::string indent(display_width(line), ' ');
    const std::size_t last = shape.widths.back();
    for (const std::string& part : break_lines(row[shape.shown.back()], last)) {
        if (columns_[shape.shown.back()].align == Align::right) {
            line.append(last - std::min(last, display_width(part)), ' ');
        }
        line += part;
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + "\n";
        line = indent;
    }
}

std::string Table::print(const Shape& shape) const {
    std::vector<std::string> header;
    for (const Column& column : columns_) {
        header.emplace_back(column.name);
    }
    std::string out;
    print_row(header, shape, out);
    for (const auto& row : rows_) {
        print_row(row, shape, out);
    }
    return out;
}

} // namespace wharf::cli
