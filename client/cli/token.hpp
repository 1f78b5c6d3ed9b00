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

/// What the search for a token came to. None: the daemon uses the one that the caller stored with
/// it, if he did; an empty one: it uses none. `warning` says why a token file that is there was
/// passed over; it never holds what was in it.
struct TokenSearch {
    std::optional<std::string> token;
    std::optional<std::string> warning;

    /// Whether there is one to send.
    bool has_token() const noexcept { return token && !token->empty(); }
};

/// A token as somebody typed, pasted or stored it, without line ends and blanks around it; empty
/// when there is nothing else. Errors: invalid_request when it holds what no HTTP header may hold;
/// `origin` says where it comes from.
Result<std::string> clean_token(std::string text, std::string_view origin);

/// Finds the token to send with a call, in the official client's order: the option (an empty one
/// means "none for this call"); none, not even a stored one, when HF_HUB_DISABLE_IMPLICIT_TOKEN is
/// true; HF_TOKEN,
/// or HUGGING_FACE_HUB_TOKEN when the first is empty; the file HF_TOKEN_PATH names; $HF_HOME/token,
/// where HF_HOME is by default $XDG_CACHE_HOME/huggingface or ~/.cache/huggingface. What is empty
/// when it is clean is no token. Errors: as clean_token().
Result<TokenSearch> find_token(const std::optional<std::string>& option,
                               const Environment& environment, const ReadFile& read_file);

/// Overwrites the value of "--token" in the arguments: on a machine that many share, everybody can
/// read them in the process list.
void scrub_token_argument(int argc, char** argv) noexcept;

} // namespace wharf::cli
