#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace wharf::cli {

enum class Align { left, right };

/// A column of a table. Where room is short, columns with a rank above 0 are left out, the lowest
/// rank first.
struct Column {
    const char* name;
    Align align;
    int rank = 0;
};

/// Rows in columns, for people. Pure. Cells are made printable.
class Table {
  public:
    Table(std::initializer_list<Column> columns) : columns_{columns} {}
    explicit Table(std::vector<Column> columns) : columns_{std::move(columns)} {}

    /// Requires: as many cells as columns.
    void add(const std::vector<std::string>& cells);

    /// The header and the rows, each with a line end; columns two blanks apart, no blanks at the
    /// end of a line.
    std::string render() const;

    /// As above, but tries to keep within `width` columns: what can be is left out, then the last
    /// column is broken between words, on lines of its own below it.
    std::string render(std::size_t width) const;

  private:
    struct Shape {
        std::vector<std::size_t> shown; ///< the columns, by index
        std::vector<std::size_t> widths;
    };

    Shape natural_shape() const;
    void leave_out(Shape& shape, std::size_t width) const;
    void print_row(const std::vector<std::string>& row, const Shape& shape, std::string& out) const;
    std::string print(const Shape& shape) const;

    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

} // namespace wharf::cli
