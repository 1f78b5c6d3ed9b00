#pragma once

namespace wharf::sqlite {

class Database;

/// All or nothing: rolls back at the end of the scope unless committed. Transactions do not nest.
class Transaction {
  public:
    enum class Kind {
        read, ///< one view of the data, and far less work for many look-ups in a row
        write ///< takes the write lock at once instead of failing half way
    };

    Transaction(Database& database, Kind kind);
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    ~Transaction();

    void commit();

  private:
    Database& database_;
    bool open_ = true;
};

} // namespace wharf::sqlite
