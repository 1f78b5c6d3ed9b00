#pragma once

#include "daemon/hub/hub_client.hpp"
#include "daemon/hub/hub_error.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace wharf::hub {

/// What is known of a file before it is asked for.
struct ExpectedFile {
    Subject subject;
    std::string commit;
    std::string etag;
    std::uint64_t size = 0;
};

/// Whether a body comes as it is: only such bytes can be counted, resumed and parsed, and we ask
/// for nothing else. Errors: protocol.
Result<void> check_coding(const net::Headers& headers, const Subject& subject);

/// Whether an answer of the Hub itself (also a redirect) is about the expected file: X-Repo-Commit,
/// X-Linked-Etag (else ETag, which of a redirect would be the redirect's own) and X-Linked-Size
/// must be the expected ones where they are given. Etags that name no blob are ignored. What is
/// not given is proven by the content's hash. Errors: protocol.
Result<void> check_identity(const net::HttpResponse& response, const ExpectedFile& file);

/// What of a file a body holds.
struct BodyStart {
    std::uint64_t first = 0;
    bool range_ignored = false;
};

/// Whether the body of a 200 or 206 answer, from whichever host, is the file or the range asked
/// for. Errors: protocol.
Result<BodyStart> check_body(const net::HttpResponse& response,
                             const std::optional<ByteRange>& range, const ExpectedFile& file);

} // namespace wharf::hub
