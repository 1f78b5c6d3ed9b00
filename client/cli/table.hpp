#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace wharf::cli {

enum class Align { left, right };

/// Rows in columns, for people. Pure. Cells are made printable.
class Table {
  public:
    Table(std::initializer_list<std::pair<const char*, Align>> columns);

    /// Requires: as many cells as columns.
    void add(const std::vector<std::string>& cells);

    /// The header and the rows, each with a line end; columns two blanks apart, no blanks at the
    /// end of a line.
    std::string render() const;

  private:
    std::vector<Align> alignments_;
    std::vector<std::vector<std::string>> rows_; ///< the header is the first
};

} // namespace wharf::cli
