#pragma once

#include "daemon/store/directory.hpp"
#include "daemon/store/readers.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace wharf::store {

/// Who may enter which repo's folder. Below it everything is readable, so this is where the kernel
/// is told. One thread.
class Doors {
  public:
    /// Requires: `cache` outlives this. `acls`: whether single accounts can be let in; `shared`:
    /// other programs write to the cache too, and what is theirs cannot be guarded.
    Doors(const Directory& cache, bool acls, bool shared)
        : cache_{cache}, acls_{acls}, shared_{shared} {}

    /// Lets these in and no others, also into a folder that is made later (a repo that somebody
    /// only asked about has none); see Store::set_readers(). Returns whom the door now opens to:
    /// fewer where it cannot open to all of them. Throws storage Errors.
    Readers set(const std::string& repo_folder, Readers wanted);

    /// Opens a folder that was made since, removed and made anew, or whose rights somebody changed,
    /// to those for whom it was open. One stat(2) if there is nothing to do; else whom it opens to
    /// now.
    std::optional<Readers> keep(const std::string& repo_folder);

  private:
    /// Changes with every change of rights.
    struct State {
        std::uint64_t inode = 0;
        std::int64_t ctime_ns = 0;
        bool operator==(const State&) const = default;
    };
    struct Door {
        Readers wanted;
        Readers open_to;
        std::optional<State> state; ///< after it was set
    };

    std::optional<State> state_of(const std::string& repo_folder) const;
    Readers open(const std::string& repo_folder, const Directory& folder, const Readers& wanted);
    Readers open_foreign(const std::string& repo_folder, const Readers& wanted);
    std::set<uid_t> let_in_most(const std::string& repo_folder, const Directory& folder,
                                const std::set<uid_t>& uids);

    const Directory& cache_;
    bool acls_;
    bool shared_;
    std::map<std::string, Door> doors_; ///< those that are open to somebody
    std::set<std::string> told_;        ///< folders that were complained of
};

} // namespace wharf::store
