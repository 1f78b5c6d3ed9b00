#include "daemon/hub/types.hpp"
#include "daemon/store/layout.hpp"
#include "daemon/store/store_impl.hpp"

#include <fmt/format.h>

#include <unistd.h>
#include <utility>

// Who may read what: the part of the store that the gatekeeper speaks to.

namespace wharf::store {

namespace {

/// Takes away from `open_to` who is not among `readers`.
void narrow(Readers& open_to, const Readers& readers) {
    if (!readers.everyone) {
        open_to.everyone = false;
        std::erase_if(open_to.uids, [&](uid_t uid) { return !readers.uids.contains(uid); });
    }
}

} // namespace

Awaitable<> Store::set_readers(hub::RepoId repo, Readers readers) {
    const std::string folder = layout::repo_folder(repo);
    narrow(impl_->open_to[repo], readers); // who is shut out is not told that a path will do
    Readers open_to =
        co_await impl_->disk.run([&] { return impl_->doors.set(folder, std::move(readers)); });
    if (open_to.everyone || !open_to.uids.empty()) {
        impl_->open_to.insert_or_assign(std::move(repo), std::move(open_to));
    } else {
        impl_->open_to.erase(repo);
    }
}

bool Store::path_is_open_to(const hub::RepoId& repo, uid_t uid) const {
    const auto found = impl_->open_to.find(repo);
    return uid == ::geteuid() || uid == 0 ||
           (impl_->passable && found != impl_->open_to.end() &&
            (found->second.everyone || found->second.uids.contains(uid)));
}

bool Store::has_acls() const noexcept {
    return impl_->acls;
}

Awaitable<std::vector<hub::RepoId>> Store::repos() {
    const std::vector<std::string> names =
        co_await impl_->pool.run([&] { return impl_->cache.list(); });
    std::vector<hub::RepoId> found;
    for (const auto& name : names) {
        if (auto repo = layout::repo_of(name)) {
            found.push_back(std::move(*repo));
        }
    }
    co_return found;
}

Awaitable<UniqueFd> Store::open_file(hub::RepoId repo, std::string commit, std::string path) {
    const std::string folder = layout::repo_folder(repo);
    require_commit(commit);
    if (!hub::check_path(path)) {
        throw Error{ErrorKind::file_not_found, fmt::format("'{}' is no file's path", path)};
    }
    UniqueFd file =
        co_await impl_->disk.run([&] { return impl_->shelf.open(folder, commit, path); });
    co_return file;
}

} // namespace wharf::store
