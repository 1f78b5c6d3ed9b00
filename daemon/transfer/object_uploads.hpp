#pragma once

#include "base/unique_fd.hpp"
#include "daemon/hub/upload_client.hpp"
#include "daemon/scheduling/claimant.hpp"
#include "daemon/scheduling/rate_gate.hpp"
#include "daemon/transfer/sent_parts.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace wharf::transfer {

/// How an object's sending is taken down, so that nothing is sent twice. Called on the control
/// thread; each returns when a kill of the daemon does not lose it any more.
class UploadRecord {
  public:
    virtual ~UploadRecord() = default;

    /// New URLs. What was noted of parts stays when `keeps_parts`, else it is forgotten.
    virtual Awaitable<> action_given(hub::UploadAction action, bool keeps_parts) = 0;
    virtual Awaitable<> part_sent(std::size_t part, std::string etag) = 0;
};

/// An object to be sent.
struct ObjectOrder {
    hub::CommitTarget target;
    hub::LfsObject object;
    bool for_pull_request = false;
    std::shared_ptr<const UniqueFd> file; ///< its content, at least object.size bytes
    scheduling::Claimant claimant;
    UploadRecord* record = nullptr;             ///< outlives the call
    std::optional<PartsSent> earlier;           ///< of an earlier run
    std::shared_ptr<scheduling::WaitNote> note; ///< why it waits
    /// Bytes that were sent, those of earlier runs included; may fall when a part is sent again.
    std::shared_ptr<std::atomic<std::uint64_t>> sent;
};

/// Sends the content of large files to where the Hub wants them: parts of one object at the same
/// time, over the connections, limits and quotas that downloads use, tried again as long as that
/// may help. Control thread.
class ObjectUploads {
  public:
    virtual ~ObjectUploads() = default;

    /// Returns when the Hub has the object, verified. Asks for URLs itself (batch of one, or of
    /// several that ask at the same time), and again when they have expired. What was finished is
    /// never sent twice, unless the Hub began a new upload of parts. Throws what cannot be healed;
    /// integrity when the file is not what its name says. When cancelled, finished parts are in the
    /// record.
    virtual Awaitable<> send(ObjectOrder order) = 0;
};

} // namespace wharf::transfer
