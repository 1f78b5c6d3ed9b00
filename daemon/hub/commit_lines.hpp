#pragma once

#include "daemon/async/awaitable.hpp"
#include "daemon/net/request_body.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace wharf::hub {

struct CommitHeader {
    std::string summary;
    std::string description;
    std::string parent; ///< 40 hex digits; empty: whatever the branch is at
};

/// Content of a regular file, wherever it is. Reads at an offset; at least one byte unless the
/// offset is the size. Called on the thread of the client that sends the commit.
using ReadContent =
    std::function<Awaitable<std::size_t>(std::uint64_t offset, std::span<std::byte>)>;

/// One change of a commit.
struct CommitLine {
    enum class Kind { regular_file, lfs_file, deleted_file, deleted_folder };
    Kind kind = Kind::regular_file;
    std::string path;       ///< of a folder without final "/"
    std::uint64_t size = 0; ///< of files
    std::string oid;        ///< of lfs files
    ReadContent content;    ///< of regular files
};

/// The body of a commit (newline-delimited JSON), made while it is sent: contents are read and
/// encoded piece by piece, and only as much as was asked for is in memory. Its size is known
/// beforehand.
std::shared_ptr<net::RequestBody> make_commit_body(CommitHeader header,
                                                   std::vector<CommitLine> lines);

} // namespace wharf::hub
