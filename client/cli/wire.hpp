#pragma once

#include "client/cli/progress_view.hpp"
#include "client/cli/selection.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// The messages of org.wharf as the command uses them. Readers throw Error (protocol) when the
/// daemon's answer is not what its interface says.
namespace wharf::cli {

namespace json = boost::json;

struct DownloadResult {
    std::string commit;
    std::string snapshot;
    std::vector<std::string> files;
    bool stale = false;
    std::optional<std::string> why;
    std::optional<std::uint64_t> count; ///< of the files that were meant
    bool by_descriptor = false;         ///< the paths are not the caller's to open
};

/// One message of a Download's stream; one of the three is there.
struct DownloadReply {
    std::optional<std::int64_t> job;
    std::optional<Progress> progress;
    std::optional<DownloadResult> result;
};

struct ListedFile {
    std::string name;
    std::uint64_t size = 0;
    std::string etag;
    bool cached = false;
    std::optional<std::string> path;
};

/// A whole listing, put together from its parts.
struct Listing {
    std::string commit;
    std::string snapshot;
    bool stale = false;
    std::vector<ListedFile> files;
};

/// The parameters that Download, List and Open share; files and patterns only where there are any.
json::object selection_parameters(const Selection& selection,
                                  const std::optional<std::string>& token);

DownloadReply read_download_reply(const json::object& parameters);

/// Adds one part of the answer to a List. Every file's name and etag are checked.
void read_listing(const json::object& parameters, Listing& listing);

json::array to_array(const std::vector<std::string>& list);

FileProgress read_file_progress(const json::object& object);
Progress read_progress(const json::object& object);

} // namespace wharf::cli
