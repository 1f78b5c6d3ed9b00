#pragma once

#include "daemon/hub/upload_client.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wharf::transfer {

/// What is known of an object that is sent in parts: enough to go on after a restart.
struct PartsSent {
    hub::UploadAction action;
    std::vector<std::pair<std::size_t, std::string>> etags; ///< by part, counted from 0
};

/// Whether the parts sent to the URLs of one are there for the other: both are in parts of the same
/// size, and of the same upload by the `uploadId` in the URLs' queries (as S3 has it), where there
/// is one. Without one the place is compared.
bool is_same_upload(const hub::UploadAction& one, const hub::UploadAction& other);

/// Which parts of an object were sent, are on their way and are missing. An object that goes in one
/// request has one part. Pure; requires an action for all but the first two.
class SentParts {
  public:
    explicit SentParts(std::uint64_t size) : size_{size} {}

    bool has_action() const noexcept { return !parts_.empty(); }

    /// New URLs. True: what was sent stays, as `may_keep` allows and the Hub goes on with the same
    /// upload. Throws a protocol Error when there are not as many as the object has parts, and is
    /// as it was then. Requires: nothing is on its way.
    bool renew(hub::UploadAction action, bool may_keep);

    /// What an earlier run left, as far as it fits.
    void restore(PartsSent earlier);

    PartsSent sent() const;

    const hub::UploadAction& action() const noexcept { return action_; }
    bool is_in_parts() const noexcept { return action_.chunk_size > 0; }
    std::size_t count() const noexcept { return parts_.size(); }

    const std::string& url(std::size_t part) const;
    std::uint64_t begin_of(std::size_t part) const noexcept { return part * action_.chunk_size; }
    std::uint64_t size_of(std::size_t part) const noexcept;

    /// The first part that is missing; it is on its way then.
    std::optional<std::size_t> begin_next();
    void give_back(std::size_t part);
    void set_sent(std::size_t part, std::string etag);

    std::size_t missing() const noexcept;
    bool is_complete() const noexcept;
    std::uint64_t bytes_sent() const noexcept;

    /// Of all parts. Requires: is_complete().
    std::vector<std::string> etags() const;

  private:
    enum class State { missing, on_its_way, sent };
    struct Part {
        State state = State::missing;
        std::string etag;
    };

    std::uint64_t size_;
    hub::UploadAction action_;
    std::vector<Part> parts_; ///< empty: no action is known
};

} // namespace wharf::transfer
