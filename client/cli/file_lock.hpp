#pragma once

#include "base/unique_fd.hpp"

#include <functional>
#include <string>

namespace wharf::cli {

/// An flock(2) on a lock file, as the official client takes it: beside it, not only among
/// ourselves. The file is removed when the lock ends. On file systems that know no locks there is
/// none; files are renamed into place, so the worst is work done twice.
class FileLock {
  public:
    /// Takes the lock, waiting for it; `tick` is called ten times a second meanwhile and may throw
    /// to stop. Borrows `folder`, which must stay open. Throws Error (storage).
    FileLock(int folder, std::string name, const std::function<void()>& tick);
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;
    ~FileLock();

  private:
    int folder_;
    std::string name_;
    UniqueFd file_;
};

} // namespace wharf::cli
