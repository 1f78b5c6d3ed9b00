#pragma once

#include "daemon/access/sealer.hpp"
#include "daemon/async/awaitable.hpp"
#include "daemon/async/blocking_pool.hpp"
#include "daemon/hub/types.hpp"

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace wharf::access {

/// A stored token, without anything of the token itself.
struct StoredToken {
    uid_t uid = 0;    ///< whose it is on this machine
    std::string user; ///< and at the Hub
    std::string name; ///< what its owner called the token there; may be empty
    std::string role; ///< "read", "write", "fineGrained"; may be empty
    std::chrono::system_clock::time_point stored;
    /// Why it cannot be used any more, in a sentence; empty when it can.
    std::string fault = {};
};

/// Keeps one token for each account, sealed on disk for that account and this Hub, opened in
/// memory. Control thread; what it writes is written on a thread of its own.
class Vault {
  public:
    /// Opens or makes the file, and blocks meanwhile. Tokens that cannot be used (the machine's key
    /// has changed, or they are another Hub's) stay, and are logged. Throws storage Errors.
    /// `endpoint`: the Hub whose tokens these are. Requires: the sealer outlives this.
    Vault(const std::filesystem::path& file, std::string endpoint, const Sealer& sealer);
    Vault(const Vault&) = delete;
    Vault& operator=(const Vault&) = delete;
    ~Vault();

    /// The account's token; empty when it has none that can be used.
    hub::Token token_of(uid_t uid) const;

    /// As token_of(), for the account itself. Errors: unauthorized, with what to do, when it stored
    /// one that cannot be used any more: nobody shall wonder why his repos are gone.
    Result<hub::Token> usable_token_of(uid_t uid) const;

    /// What is stored of the account; none when nothing is.
    std::optional<StoredToken> find(uid_t uid) const;

    /// All that is stored, by account.
    std::vector<StoredToken> list() const;

    /// Keeps a token in place of an earlier one of `about.uid`. Returns when it is durable; throws
    /// storage Errors, and the earlier one stays then.
    Awaitable<> store(StoredToken about, hub::Token token);

    /// Removes what is stored of the account, from the disk too; false when nothing was. Throws
    /// storage Errors, and nothing is removed then.
    Awaitable<bool> forget(uid_t uid);

  private:
    class Rows;
    struct Entry {
        StoredToken about;
        hub::Token token; ///< empty when it cannot be used
    };

    void take_up(StoredToken about, const std::string& endpoint, std::string_view sealed);
    std::string purpose(uid_t uid) const;

    std::string endpoint_;
    const Sealer& sealer_;
    std::map<uid_t, Entry> entries_;
    std::unique_ptr<Rows> rows_; ///< after the start on the disk's thread only
    async::BlockingPool disk_{1};
};

} // namespace wharf::access
