#pragma once

#include "base/error.hpp"
#include "daemon/hub/upload_types.hpp"
#include "daemon/net/url.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wharf::hub {

// Reads what the Hub answers to those who push, as hub_json.hpp reads the rest. What comes back is
// only what was asked for, each once. Errors: protocol.

/// A verdict for each candidate, in their order. An oid that is none counts as none.
Result<std::vector<Verdict>> verdicts_from_json(std::string_view body,
                                                std::span<const Candidate> candidates);

/// An answer for each object, in their order. Requires: their oids differ. Addresses of the public
/// Hub become the endpoint's (at_endpoint) but for those of parts; all are absolute and as safe as
/// the endpoint. Parts cover the object exactly, and are at most 100,000.
Result<std::vector<ObjectAnswer>> batch_from_json(std::string_view body,
                                                  std::span<const LfsObject> objects,
                                                  const net::Url& endpoint);

/// Whether it is the answer to the making of a repo.
Result<void> created_from_json(std::string_view body);

/// What the Hub says of a README's metadata, made fit to be shown; at most 20 of each.
struct ReadmeFaults {
    std::vector<std::string> errors;
    std::vector<std::string> warnings;
};
Result<ReadmeFaults> faults_from_json(std::string_view body);

/// The commit; its URL is left empty if it is none that can be shown.
Result<CommitAnswer> commit_answer_from_json(std::string_view body);

Result<std::vector<CommitEntry>> commits_from_json(std::string_view body);

/// The number of a pull request that was opened just now.
Result<std::uint64_t> pull_request_from_json(std::string_view body);

/// Those of that title that can still be committed to, newest first.
Result<std::vector<std::uint64_t>> open_pull_requests_from_json(std::string_view body,
                                                                std::string_view title);

} // namespace wharf::hub
