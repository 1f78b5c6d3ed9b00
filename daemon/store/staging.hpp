#pragma once

#include "daemon/store/directory.hpp"

#include <atomic>
#include <filesystem>
#include <string>
#include <string_view>

namespace wharf::store {

/// Where everything is made before it is moved to its place in one step: `.locks/.wharf` in the
/// cache, which nobody else reads (mode 0700). What an earlier run left there is removed at start.
/// All members may be called from several threads.
class Staging {
  public:
    /// Throws storage Errors: also when another process uses this cache, and when the folder is on
    /// another file system than the cache.
    explicit Staging(const Directory& cache);

    /// A path that nothing has yet, for a blob's bytes.
    std::filesystem::path new_path(std::string_view etag);

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

    /// Gives a file a second name in another folder, in place of whatever has it there, if it still
    /// looks as `expected`.
    Linked replace_with_hard_link(const Directory& from, const Directory& to,
                                  const std::string& name, const Stamp& expected);

  private:
    std::string new_name(std::string_view stem);
    void move(const std::string& staged, const Directory& folder, const std::string& name);

    Directory folder_;
    std::atomic<std::uint64_t> next_ = 0;
};

} // namespace wharf::store
