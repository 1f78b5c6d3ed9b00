#pragma once

#include "base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace wharf::hub {

// What is said when something is pushed (hub/upload_client.hpp).

/// How the Hub wants a file's content.
enum class UploadMode {
    regular, ///< inside the commit
    lfs,     ///< sent beforehand, named by its sha256 in the commit
};

/// A file that somebody wants to add.
struct Candidate {
    std::string path;
    std::uint64_t size = 0;
    std::string sample; ///< its first bytes, at most sample_bytes
};

inline constexpr std::size_t sample_bytes = 512;           ///< protocol section "Preupload"
inline constexpr std::size_t candidates_per_request = 256; ///< likewise
inline constexpr std::size_t objects_per_batch = 256;      ///< as the official client
inline constexpr std::size_t paths_per_request = 500;      ///< likewise; the Hub takes 1000

/// What the Hub says of a candidate.
struct Verdict {
    UploadMode mode = UploadMode::regular;
    bool ignored = false; ///< by .gitignore: it is not to be committed
    std::string oid;      ///< what is there now: sha256 (lfs) or git's blob id; empty: nothing
};

struct LfsObject {
    std::string oid; ///< sha256 in hex
    std::uint64_t size = 0;
};

/// Where an object's bytes are to be put. All texts are URLs, and secrets: they are signed.
struct UploadAction {
    std::string href;             ///< basic: PUT all there; multipart: POST the list of parts there
    std::uint64_t chunk_size = 0; ///< bytes of every part but the last; 0: basic
    std::vector<std::string> parts; ///< a URL for each part, in order
    std::string verify;             ///< empty: nothing to verify
};

/// The Hub's answer about one object.
struct ObjectAnswer {
    std::optional<UploadAction> action; ///< none: the Hub has it
    std::optional<Error> refusal;       ///< the Hub does not take it
};

/// One file as it is at a revision; for paths that are there.
struct PathInfo {
    std::string path;
    bool is_folder = false;
    std::uint64_t size = 0;
    std::string blob_id;
    std::string lfs_sha256; ///< empty: regular
    std::string xet_hash;   ///< empty: none

    const std::string& etag() const noexcept { return lfs_sha256.empty() ? blob_id : lfs_sha256; }
};

struct CommitAnswer {
    std::string commit;
    std::string url; ///< as the Hub wrote it, checked to be a URL fit to be shown
};

/// One commit of a history.
struct CommitEntry {
    std::string id;
    std::string title; ///< as somebody wrote it: not fit to be shown
};

} // namespace wharf::hub
