#include "daemon/access/doors.hpp"

#include "base/log.hpp"
#include "base/scope_exit.hpp"

#include <chrono>
#include <utility>

namespace wharf::access {

namespace {

/// How long after a change that failed the next one is tried, unless there is a new reason.
constexpr std::chrono::seconds try_again{15};

} // namespace

Doors::Doors(async::TaskGroup& tasks, Context context)
    : tasks_{tasks}, context_{std::move(context)} {}

Doors::DoorPtr Doors::ask_for(const hub::RepoId& repo) {
    DoorPtr& door = doors_[repo];
    if (!door) {
        door = std::make_shared<Door>();
        tasks_.spawn("folder of a repo", work_on(repo, door));
    }
    ++door->asked;
    door->changed.notify_all();
    return door;
}

void Doors::update_soon(const hub::RepoId& repo) {
    ask_for(repo);
}

Awaitable<> Doors::update(hub::RepoId repo) {
    const DoorPtr door = ask_for(repo);
    co_await settled(door, door->asked);
    if (door->failure) {
        throw *door->failure;
    }
}

Awaitable<> Doors::close(hub::RepoId repo) {
    const DoorPtr door = ask_for(repo);
    co_await settled(door, door->asked);
}

Awaitable<> Doors::settled(DoorPtr door, std::uint64_t wish) {
    while (door->settled < wish) {
        co_await door->changed.wait();
    }
}

Awaitable<> Doors::work_on(hub::RepoId repo, DoorPtr door) {
    const ScopeExit over{[&] {
        if (door->settled < door->asked) {
            door->failure = Error{ErrorKind::cancelled, "the daemon is shutting down"};
            door->settled = door->asked;
        }
        doors_.erase(repo);
        door->changed.notify_all();
    }};
    while (door->settled < door->asked) {
        co_await try_once(repo, door);
        if (door->failure && door->settled == door->asked) {
            co_await door->changed.wait_for(try_again);
            door->asked += door->settled == door->asked ? 1 : 0;
        }
    }
}

Awaitable<> Doors::try_once(hub::RepoId repo, DoorPtr door) {
    const auto wish = door->asked;
    std::optional<Error> failure;
    try {
        const store::Readers readers = context_.readers(repo);
        co_await context_.set_readers(repo, readers);
    } catch (const Error& error) {
        failure = error;
        if (!door->failure) { // once, not at every further try
            log::error("access", "a folder cannot be opened or closed: {}", error.message());
        }
    }
    door->failure = failure;
    door->settled = wish;
    door->changed.notify_all();
}

} // namespace wharf::access
