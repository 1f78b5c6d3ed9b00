#include "daemon/store/shelf.hpp"

#include "base/digest.hpp"
#include "base/error.hpp"
#include "daemon/store/layout.hpp"
#include "daemon/store/snapshot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

// A file counts as right if it looks (device, inode, size, time of the last write) as some file of
// the same etag looked when its content was checked. So all hard links of a file share the
// knowledge, and a file that was written to has lost it. One look-up in the catalogue and one
// stat(2) decide; no content is read here.

namespace wharf::store {

namespace {

using Kind = sqlite::Transaction::Kind;

bool was_verified(const std::vector<Catalogue::Holding>& holdings, const Stamp& stamp) {
    return std::ranges::any_of(
        holdings, [&](const Catalogue::Holding& holding) { return holding.verified == stamp; });
}

} // namespace

Shelf::Found Shelf::find(BlobFiles& files, const std::string& repo_folder,
                         const hub::TreeEntry& wanted, Survey& survey) {
    const std::string& etag = wanted.etag();
    if (!is_blob_name(etag)) {
        throw Error{ErrorKind::internal, fmt::format("'{}' is no name for a blob", etag)};
    }
    const auto holdings = catalogue_.holdings(etag);
    const auto own = files.look(repo_folder, etag);
    if (own && was_verified(holdings, *own)) {
        // A right blob of another size: the listing is wrong. Asking the Hub will show it.
        return {own->size == wanted.size ? Presence::here : Presence::missing, {}, *own};
    }
    Found found{own ? Presence::unverified : Presence::missing, {}, {}};
    for (const auto& holding : holdings) {
        const bool is_own = holding.folder == repo_folder;
        const auto other = is_own ? own : files.look(holding.folder, etag);
        if (!other) {
            survey.gone.emplace_back(etag, holding.folder);
        }
        if (!other || is_own || other->size != wanted.size) {
            continue;
        }
        if (was_verified(holdings, *other)) {
            return {Presence::elsewhere, holding.folder, *other};
        }
        found.presence = Presence::unverified;
    }
    return found;
}

Shelf::Survey Shelf::survey(BlobFiles& files, const std::string& repo_folder,
                            const std::vector<hub::TreeEntry>& wanted) {
    Survey survey;
    survey.found.reserve(wanted.size());
    auto view = catalogue_.begin(Kind::read);
    for (const auto& entry : wanted) {
        survey.found.push_back(find(files, repo_folder, entry, survey));
    }
    view.commit();
    return survey;
}

void Shelf::forget_gone(const Survey& survey) {
    if (survey.gone.empty()) {
        return;
    }
    auto transaction = catalogue_.begin(Kind::write);
    for (const auto& [etag, folder] : survey.gone) {
        catalogue_.forget(etag, folder);
    }
    transaction.commit();
}

std::vector<bool> Shelf::held(const std::string& repo_folder,
                              const std::vector<hub::TreeEntry>& wanted) {
    BlobFiles files{cache_};
    std::vector<bool> answers;
    answers.reserve(wanted.size());
    for (const auto& found : survey(files, repo_folder, wanted).found) {
        answers.push_back(found.presence == Presence::here ||
                          found.presence == Presence::elsewhere);
    }
    return answers;
}

std::vector<bool> Shelf::present(const std::vector<std::string>& etags) {
    BlobFiles files{cache_};
    std::vector<bool> answers;
    answers.reserve(etags.size());
    auto view = catalogue_.begin(Kind::read);
    for (const auto& etag : etags) {
        answers.push_back(std::ranges::any_of(catalogue_.holdings(etag), [&](const auto& holding) {
            return files.look(holding.folder, etag).has_value();
        }));
    }
    view.commit();
    return answers;
}

Shelf::Sorted Shelf::bring_in(const std::string& repo_folder, const std::string& commit,
                              std::vector<hub::TreeEntry> wanted) {
    BlobFiles files{cache_};
    Survey seen = survey(files, repo_folder, wanted);
    forget_gone(seen);
    Sorted sorted;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        auto& entry = wanted[i];
        switch (seen.found[i].presence) {
        case Presence::here:
            sorted.placed.push_back(std::move(entry));
            sorted.stamps.push_back(seen.found[i].stamp);
            break;
        case Presence::elsewhere:
            sorted.copies.push_back(
                {std::move(entry), std::move(seen.found[i].folder), seen.found[i].stamp});
            break;
        case Presence::unverified:
            sorted.unverified.push_back(std::move(entry));
            break;
        case Presence::missing:
            sorted.missing.push_back(std::move(entry));
            break;
        }
    }
    if (!sorted.copies.empty()) {
        share(files, repo_folder, commit, sorted);
    }
    place(repo_folder, commit, sorted.placed);
    sorted.settled =
        !wanted.empty() && !pending_.contains(repo_folder + "/" + commit) && sorted.copies.empty();
    return sorted;
}

/// Links what can be linked; only what cannot stays in `copies`.
void Shelf::share(BlobFiles& files, const std::string& repo_folder, const std::string& commit,
                  Sorted& sorted) {
    auto& noted = pending(repo_folder, commit);
    ++noted.changes;
    const Directory blobs = make_repo(cache_, repo_folder, &noted.folders);
    std::vector<Copy> unable;
    auto transaction = catalogue_.begin(Kind::write);
    for (auto& copy : sorted.copies) {
        const Directory* from = files.folder(copy.from);
        const std::string etag = copy.entry.etag();
        switch (staging_.replace_with_hard_link(*from, etag, blobs, etag, copy.stamp)) {
        case Staging::Linked::yes:
            catalogue_.record_verified(etag, repo_folder, copy.stamp);
            sorted.placed.push_back(std::move(copy.entry));
            sorted.stamps.push_back(copy.stamp);
            break;
        case Staging::Linked::unable:
            unable.push_back(std::move(copy));
            break;
        case Staging::Linked::changed:
            sorted.missing.push_back(std::move(copy.entry));
            break;
        }
    }
    transaction.commit();
    noted.folders.insert(blobs.path());
    sorted.copies = std::move(unable);
}

void Shelf::place(const std::string& repo_folder, const std::string& commit,
                  const std::vector<hub::TreeEntry>& entries) {
    Snapshot snapshot{cache_, staging_, repo_folder, commit};
    Unsynced unsynced;
    for (const auto& entry : entries) {
        snapshot.point(entry.path, entry.etag(), unsynced);
    }
    if (!unsynced.empty()) {
        auto& noted = pending(repo_folder, commit);
        noted.folders.merge(unsynced);
        ++noted.changes;
    }
}

UniqueFd Shelf::open(const std::string& repo_folder, const std::string& commit,
                     const std::string& path) {
    const std::string etag = read_pointer(cache_, repo_folder, commit, path);
    UniqueFd file = BlobFiles{cache_}.open(repo_folder, etag);
    if (!file || !was_verified(catalogue_.holdings(etag), stamp_of(file.value()))) {
        throw Error{ErrorKind::storage,
                    fmt::format("{} of {} is gone or was not checked", path, repo_folder),
                    "download it again"};
    }
    return file;
}

std::vector<std::string> Shelf::candidates(const std::string& repo_folder,
                                           const std::string& etag) {
    std::vector<std::string> folders{repo_folder};
    for (auto& holding : catalogue_.holdings(etag)) {
        if (holding.folder != repo_folder) {
            folders.push_back(std::move(holding.folder));
        }
    }
    return folders;
}

void Shelf::record_verified(const std::string& etag, const std::string& repo_folder,
                            const Stamp& stamp) {
    catalogue_.record_verified(etag, repo_folder, stamp);
}

void Shelf::discard(const std::string& etag, const std::string& repo_folder, const Stamp& wrong) {
    BlobFiles files{cache_};
    if (files.look(repo_folder, etag) == wrong) {
        files.folder(repo_folder)->remove(etag);
        catalogue_.forget(etag, repo_folder);
    }
}

Shelf::Recognized Shelf::recognize(const Stamp& stamp, bool link, const Directory& to,
                                   const std::string& new_name) {
    BlobFiles files{cache_};
    Recognized known;
    for (const auto& place : catalogue_.verified_as(stamp)) {
        known.etag = place.etag;
        const Directory* from = link ? files.folder(place.folder) : nullptr;
        if (from != nullptr && staging_.replace_with_hard_link(*from, place.etag, to, new_name,
                                                               stamp) == Staging::Linked::yes) {
            known.linked = true;
            break;
        }
    }
    return known;
}

std::vector<bool> Shelf::have_or_share(const std::string& repo_folder,
                                       std::span<const PushedFile> files, const Directory& folder) {
    BlobFiles blobs{cache_};
    std::vector<hub::TreeEntry> wanted;
    std::ranges::transform(files, std::back_inserter(wanted), &PushedFile::entry);
    const Survey seen = survey(blobs, repo_folder, wanted);
    std::vector<bool> here;
    for (std::size_t i = 0; i < files.size(); ++i) {
        const Found& found = seen.found[i];
        here.push_back(found.presence == Presence::here);
        if (found.presence == Presence::elsewhere) {
            staging_.replace_with_hard_link(*blobs.folder(found.folder), wanted[i].etag(), folder,
                                            files[i].name, found.stamp);
        }
    }
    return here;
}

Shelf::Pending& Shelf::pending(const std::string& repo_folder, const std::string& commit) {
    return pending_[repo_folder + "/" + commit];
}

Shelf::Pending Shelf::begin_finish(const std::string& repo_folder, const std::string& commit) {
    auto& noted = pending(repo_folder, commit);
    Snapshot{cache_, staging_, repo_folder, commit}.make(noted.folders);
    return noted;
}

void Shelf::end_finish(const std::string& repo_folder, const std::string& commit,
                       const Pending& flushed) {
    const auto found = pending_.find(repo_folder + "/" + commit);
    if (found != pending_.end() && found->second.changes == flushed.changes) {
        pending_.erase(found);
    }
}

} // namespace wharf::store
