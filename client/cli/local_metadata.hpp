#pragma once

#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace wharf::cli {

/// What the official client keeps beside a file that it placed in a folder:
/// `.cache/huggingface/download/<file>.metadata`, three lines.
struct LocalMetadata {
    std::string commit;
    std::string etag;
    timespec saved{}; ///< when file and metadata agreed
};

/// Reads the three lines: commit, etag, Unix time with a fraction. None when they are something
/// else; the official client then removes the file.
std::optional<LocalMetadata> parse_local_metadata(std::string_view text);

std::string format_local_metadata(const LocalMetadata& metadata);

/// Whether the file has not been changed since the metadata was saved; a second is allowed for
/// coarse clocks.
bool covers(const LocalMetadata& metadata, const timespec& modified);

} // namespace wharf::cli
