#pragma once

#include "daemon/store/directory.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace wharf::store {

/// Where everything is made before it is moved to its place in one step: `.locks/.wharf` in the
/// cache, which nobody else reads (mode 0700). What an earlier run left there is removed at start,
/// but for partial files that can be resumed. All members may be called from several threads.
class Staging {
  public:
    /// Throws storage Errors: also when another process uses this cache, and when the folder is on
    /// another file system than the cache, or somebody else's. `keep_partials` and `listable`,
    /// which is also for the lock files beside it: see StoreOptions.
    Staging(const Directory& cache, std::chrono::seconds keep_partials, bool listable = false);

    /// The folder itself, for files that do not outlive the run under new_name(), and for Partials.
    const std::shared_ptr<const Directory>& folder() const noexcept { return folder_; }

    /// A name that nothing there has yet.
    std::string new_name(std::string_view stem);

    /// Whether a file's content must survive a power failure before its name does.
    enum class Durability { none, flushed };

    /// Puts a small file (mode 0644) in place of whatever has that name. Flushed: content and name
    /// are durable on return.
    void replace_file(const Directory& folder, const std::string& name, std::string_view content,
                      Durability durability);

    /// Puts a symbolic link in place of whatever has that name.
    void replace_link(const Directory& folder, const std::string& name, const std::string& target);

    enum class Linked {
        yes,
        unable, ///< the file system cannot, or we may not: copy it
        changed ///< the file is gone or is not what it was
    };

    /// Gives the file `name` a second name in another folder, in place of whatever has it there, if
    /// it still looks as `expected`.
    Linked replace_with_hard_link(const Directory& from, const std::string& name,
                                  const Directory& to, const std::string& to_name,
                                  const Stamp& expected);

  private:
    void move(const std::string& staged, const Directory& folder, const std::string& name);

    std::shared_ptr<const Directory> folder_;
    std::atomic<std::uint64_t> next_ = 0;
};

} // namespace wharf::store
