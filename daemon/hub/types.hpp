#pragma once

#include "base/error.hpp"
#include "base/secret.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wharf::hub {

enum class RepoType { model, dataset, space };

/// "model", "dataset" or "space".
std::string_view name(RepoType type) noexcept;
std::optional<RepoType> repo_type_from(std::string_view name) noexcept;

/// A repo by type and name, checked as the official client checks it.
struct RepoId {
    RepoType type = RepoType::model;
    std::string name; ///< "org/name", or a bare "name" of old

    /// Errors: invalid_request with the rule that was broken.
    static Result<RepoId> parse(RepoType type, std::string_view name);

    bool operator==(const RepoId&) const = default;
    auto operator<=>(const RepoId&) const = default;
};

/// Branch, tag, ref or commit as somebody wrote it: not empty, at most 250 bytes, printable, no
/// component that is empty, "." or ".." (it becomes a path below refs/). Errors: invalid_request.
Result<std::string> parse_revision(std::string_view text);

/// A token on its way to the Hub. A type of its own so that it is never formatted by accident: it
/// has no conversion to text and no stream operator. Its text is a Secret that all copies share;
/// the last one wipes it.
class Token {
  public:
    Token() = default;
    explicit Token(std::string_view secret)
        : secret_{secret.empty() ? nullptr : std::make_shared<const Secret>(secret)} {}
    explicit Token(Secret secret)
        : secret_{secret.empty() ? nullptr : std::make_shared<const Secret>(std::move(secret))} {}
    bool empty() const noexcept { return secret_ == nullptr; }
    /// Whoever makes a copy of it wipes that.
    std::string_view reveal() const noexcept {
        return secret_ ? secret_->view() : std::string_view{};
    }
    bool operator==(const Token& other) const noexcept {
        return secret_ == other.secret_ || (secret_ && other.secret_ && *secret_ == *other.secret_);
    }

  private:
    std::shared_ptr<const Secret> secret_;
};

/// What a repo is to somebody who shows no token.
struct RepoAccess {
    bool is_private = true;
    bool gated = true;     ///< its page is there for all, its files are not
    bool disabled = false; ///< the Hub gives it to nobody
};

/// Whose a token is, by the Hub's word. All texts are fit to be shown: printable, short, one line.
struct TokenOwner {
    std::string name;
    std::string fullname;          ///< may be empty
    std::string type;              ///< "user" or "org"
    std::vector<std::string> orgs; ///< names
    std::string token_name;        ///< what its owner called the token; may be empty
    std::string token_role;        ///< "read", "write", "fineGrained"; may be empty
};

/// One file of a commit.
struct TreeEntry {
    std::string path;       ///< checked: relative, stays inside, valid UTF-8
    std::uint64_t size = 0; ///< of the content, in bytes
    std::string blob_id;    ///< git's blob id: of the content, or of the pointer for large files
    std::string lfs_sha256; ///< of the content of large files; empty for the others
    std::string xet_hash;   ///< empty if there is none or it is masked

    /// The name of the content's blob: sha256 for large files, git's blob id for the others.
    const std::string& etag() const noexcept { return lfs_sha256.empty() ? blob_id : lfs_sha256; }
};

/// All files of a commit, sorted by path, each path once. Immutable, shared.
struct Tree {
    std::vector<TreeEntry> files;

    /// The file of that path, or null.
    const TreeEntry* find(std::string_view path) const noexcept;
};
using TreePtr = std::shared_ptr<const Tree>;

/// Whether a path from a listing can be created below a snapshot and stays there: relative, no
/// empty, "." or ".." component (also seen with backslashes), no ".git" component (any case), no
/// NUL or control character, valid UTF-8, components up to 255 bytes, all up to 1024 bytes.
/// Errors: protocol, naming the entry and the rule.
Result<void> check_path(std::string_view path);

/// Sorts and checks a whole listing: check_path of each, etags that are hashes, no path twice, no
/// path that is both file and folder, sizes whose sum fits 2^63. Errors: protocol, naming the first
/// bad entry; nothing of such a listing is to be used.
Result<TreePtr> make_tree(std::vector<TreeEntry> files);

} // namespace wharf::hub
