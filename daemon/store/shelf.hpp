#pragma once

#include "daemon/hub/types.hpp"
#include "daemon/store/blob_files.hpp"
#include "daemon/store/catalogue.hpp"
#include "daemon/store/directory.hpp"
#include "daemon/store/staged_files.hpp"
#include "daemon/store/staging.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace wharf::store {

/// The store's work on blobs, pointers and catalogue that needs no hashing and no flushing. All of
/// it happens on the store's own thread, so nobody changes the catalogue in between.
class Shelf {
  public:
    /// Requires: all three outlive this.
    Shelf(const Directory& cache, Staging& staging, Catalogue& catalogue)
        : cache_{cache}, staging_{staging}, catalogue_{catalogue} {}

    /// A blob that another repo has and that cannot be linked.
    struct Copy {
        hub::TreeEntry entry;
        std::string from; ///< repo folder
        Stamp stamp;      ///< how the verified file looks
    };

    struct Sorted {
        std::vector<hub::TreeEntry> placed;
        std::vector<Stamp> stamps; ///< how the placed files' verified blobs look, one for one
        std::vector<hub::TreeEntry> missing;
        std::vector<hub::TreeEntry> unverified;
        std::vector<Copy> copies;
        bool settled = false; ///< nothing of the snapshot waits to be flushed
    };

    /// Puts in place what is verified, here or by hard link from elsewhere; sorts the rest.
    Sorted bring_in(const std::string& repo_folder, const std::string& commit,
                    std::vector<hub::TreeEntry> wanted);

    /// Which of them bring_in() would put in place, or copy.
    std::vector<bool> held(const std::string& repo_folder,
                           const std::vector<hub::TreeEntry>& wanted);

    /// Which of these blobs any repo has a file of, whatever is in it.
    std::vector<bool> present(const std::vector<std::string>& etags);

    /// Makes pointers to blobs that this repo has.
    void place(const std::string& repo_folder, const std::string& commit,
               const std::vector<hub::TreeEntry>& entries);

    /// Opens a file of the snapshot: the verified blob that its pointer names.
    UniqueFd open(const std::string& repo_folder, const std::string& commit,
                  const std::string& path);

    /// Repo folders whose file of that name may be right: this repo's own first.
    std::vector<std::string> candidates(const std::string& repo_folder, const std::string& etag);

    void record_verified(const std::string& etag, const std::string& repo_folder,
                         const Stamp& stamp);

    /// Removes a wrong blob, unless another file has taken its place. Readers keep what they
    /// opened.
    void discard(const std::string& etag, const std::string& repo_folder, const Stamp& wrong);

    /// What is known of a file that looks like a verified blob.
    struct Recognized {
        std::string etag;    ///< empty: it is none
        bool linked = false; ///< whether the blob has the new name
    };

    /// Looks which verified blob a file of that stamp is, and gives the blob a second name if
    /// `link` says so and the file system can.
    Recognized recognize(const Stamp& stamp, bool link, const Directory& to,
                         const std::string& new_name);

    /// Which of the files' verified blobs the repo has. Where another repo has it, that file takes
    /// the place of the one in `folder`, of the same content, so that both repos will share one.
    std::vector<bool> have_or_share(const std::string& repo_folder,
                                    std::span<const PushedFile> files, const Directory& folder);

    /// What of a commit's snapshot has to be flushed before a ref may name it.
    struct Pending {
        Unsynced folders;
        std::uint64_t changes = 0;
    };

    /// Makes the snapshot's folder, even if it stays empty, and says what to flush.
    Pending begin_finish(const std::string& repo_folder, const std::string& commit);

    /// It was flushed. What was changed in the meantime stays noted.
    void end_finish(const std::string& repo_folder, const std::string& commit,
                    const Pending& flushed);

  private:
    enum class Presence { here, elsewhere, unverified, missing };
    struct Found {
        Presence presence = Presence::missing;
        std::string folder; ///< elsewhere: where
        Stamp stamp;        ///< here and elsewhere
    };
    struct Survey {
        std::vector<Found> found;
        std::vector<std::pair<std::string, std::string>> gone; ///< etag and repo folder
    };

    Survey survey(BlobFiles& files, const std::string& repo_folder,
                  const std::vector<hub::TreeEntry>& wanted);
    Found find(BlobFiles& files, const std::string& repo_folder, const hub::TreeEntry& wanted,
               Survey& survey);
    void forget_gone(const Survey& survey);
    void share(BlobFiles& files, const std::string& repo_folder, const std::string& commit,
               Sorted& sorted);
    Pending& pending(const std::string& repo_folder, const std::string& commit);

    const Directory& cache_;
    Staging& staging_;
    Catalogue& catalogue_;
    std::map<std::string, Pending> pending_; ///< by repo folder and commit
};

} // namespace wharf::store
