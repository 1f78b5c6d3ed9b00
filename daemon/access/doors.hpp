#pragma once

#include "base/error.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/hub/types.hpp"
#include "daemon/store/readers.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

namespace wharf::access {

/// Keeps the folders as the book says. Of one repo, one change at a time is on its way, and it is
/// as the book says when it begins: whatever order the reasons come in, the last word wins. A
/// change that fails is tried again until it succeeds or the daemon ends. Control thread.
class Doors {
  public:
    struct Context {
        std::function<Awaitable<>(hub::RepoId, store::Readers)> set_readers;
        std::function<store::Readers(const hub::RepoId&)> readers; ///< what the book says now
    };

    /// Requires: `tasks` is joined before this ends.
    Doors(async::TaskGroup& tasks, Context context);

    /// Returns when the kernel enforces what the book says now, or later. Throws the Error of a
    /// change that failed.
    Awaitable<> update(hub::RepoId repo);

    /// The same, but a failure is only logged, and tried again.
    Awaitable<> close(hub::RepoId repo);

    /// The same without waiting.
    void update_soon(const hub::RepoId& repo);

  private:
    struct Door {
        std::uint64_t asked = 0;      ///< wishes for an update so far
        std::uint64_t settled = 0;    ///< of these: met, or failed
        std::optional<Error> failure; ///< of the last try
        async::Event changed;
    };
    using DoorPtr = std::shared_ptr<Door>;

    DoorPtr ask_for(const hub::RepoId& repo);
    static Awaitable<> settled(DoorPtr door, std::uint64_t wish);
    Awaitable<> work_on(hub::RepoId repo, DoorPtr door);
    Awaitable<> try_once(hub::RepoId repo, DoorPtr door);

    async::TaskGroup& tasks_;
    Context context_;
    std::map<hub::RepoId, DoorPtr> doors_; ///< those with something to do
};

} // namespace wharf::access
