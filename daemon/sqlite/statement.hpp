#pragma once

#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

struct sqlite3_stmt;

namespace wharf::sqlite {

class Database;

/// The current row of a running statement. Texts and blobs are valid until the next row.
class Row {
  public:
    explicit Row(sqlite3_stmt* statement) noexcept : statement_{statement} {}

    bool is_null(int column) const;
    std::int64_t integer(int column) const;
    std::string_view text(int column) const;
    std::span<const std::byte> blob(int column) const;

  private:
    sqlite3_stmt* statement_;
};

/// A statement that is compiled once and used many times. Must not outlive its use of the Database
/// by another thread; see there.
class Statement {
  public:
    class Use;

    /// Throws a storage Error if the text is wrong (a defect) or does not fit the file's schema.
    Statement(Database& database, std::string_view sql);

    /// Runs the statement with these values for its parameters, in order:
    /// `for (const Row row : statement.use(key)) ...`. One use at a time.
    template <typename... Values>
    [[nodiscard]] Use use(const Values&... values);

    /// Runs a statement that returns no rows.
    template <typename... Values>
    void run(const Values&... values);

  private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept;
    };

    std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

/// One execution: binds on construction, resets at the end of the scope. A range of rows, to be
/// walked once.
class Statement::Use {
  public:
    template <typename... Values>
    explicit Use(sqlite3_stmt* statement, const Values&... values) : statement_{statement} {
        expect_parameters(sizeof...(values));
        int index = 0;
        (bind(++index, values), ...);
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use();

    class Iterator {
      public:
        explicit Iterator(Use& use) : use_{&use} { ++*this; }
        Row operator*() const noexcept { return Row{use_->statement_}; }
        Iterator& operator++() {
            more_ = use_->step();
            return *this;
        }
        bool operator==(std::default_sentinel_t) const noexcept { return !more_; }

      private:
        Use* use_;
        bool more_ = false;
    };

    Iterator begin() { return Iterator{*this}; }
    std::default_sentinel_t end() const noexcept { return {}; }

    /// Goes to the next row; false when there is none.
    bool step();

  private:
    void expect_parameters(std::size_t count) const noexcept;
    void bind(int index, std::int64_t value);
    void bind(int index, std::string_view value);
    void bind(int index, std::span<const std::byte> value);
    void bind(int index, std::nullptr_t);
    void bind(int index, std::integral auto value) {
        bind(index, static_cast<std::int64_t>(value));
    }
    template <typename Value>
    void bind(int index, const std::optional<Value>& value) {
        value ? bind(index, *value) : bind(index, nullptr);
    }

    sqlite3_stmt* statement_;
};

template <typename... Values>
Statement::Use Statement::use(const Values&... values) {
    return Use{handle_.get(), values...};
}

template <typename... Values>
void Statement::run(const Values&... values) {
    Use once{handle_.get(), values...};
    [[maybe_unused]] const bool row = once.step();
    assert(!row);
}

} // namespace wharf::sqlite
