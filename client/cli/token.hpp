#pragma once

#include "base/error.hpp"
#include "client/cli/environment.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace wharf::cli {

/// Reads a small file whole; none when it does not exist. Errors: storage when it is there but
/// cannot be read.
using ReadFile = std::function<Result<std::optional<std::string>>(const std::string& path)>;

/// `ReadFile` on the real file system. No token is long: more than 16 KiB is an error.
Result<std::optional<std::string>> read_token_file(const std::string& path);

/// What the search for a token came to. `warning` says why a token file that is there was passed
/// over; it never holds what was in it.
struct TokenSearch {
    std::optional<std::string> token;
    std::optional<std::string> warning;
};

/// Finds the token to send with a call, in the official client's order: the option (an empty one
/// means "none for this call"); nothing more when HF_HUB_DISABLE_IMPLICIT_TOKEN is true; HF_TOKEN,
/// or HUGGING_FACE_HUB_TOKEN when the first is empty; the file HF_TOKEN_PATH names; $HF_HOME/token,
/// where HF_HOME is by default $XDG_CACHE_HOME/huggingface or ~/.cache/huggingface. Line ends are
/// removed and blanks at both ends too; what is empty then is no token. Errors: invalid_request
/// when the token holds what no HTTP header may hold.
Result<TokenSearch> find_token(const std::optional<std::string>& option,
                               const Environment& environment, const ReadFile& read_file);

/// Overwrites the value of "--token" in the arguments: on a machine that many share, everybody can
/// read them in the process list.
void scrub_token_argument(int argc, char** argv) noexcept;

} // namespace wharf::cli
