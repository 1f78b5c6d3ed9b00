#pragma once

#include "daemon/async/event.hpp"
#include "daemon/transfer/object_questions.hpp"
#include "daemon/transfer/object_upload.hpp"
#include "daemon/transfer/object_uploads.hpp"

#include <map>
#include <memory>
#include <string>
#include <tuple>

namespace wharf::transfer {

/// Sends objects to the Hub. What several want to be at the same repo in the name of the same
/// account is sent by one of them; when he fails or leaves, the next goes on with it. Control
/// thread.
class HubObjectUploads final : public ObjectUploads {
  public:
    /// Requires: everything referred to outlives this, and this the coroutines it has returned.
    explicit HubObjectUploads(UploadContext context);
    ~HubObjectUploads() override;

    Awaitable<> send(ObjectOrder order) override;

    /// Cancels the questions on their way and waits until nothing is being sent. Requires: who
    /// sends was cancelled before.
    Awaitable<> stop();

    /// For what starts from now on.
    void set_options(UploadOptions options);

  private:
    struct Flight;
    using FlightPtr = std::shared_ptr<Flight>;
    using Key = std::tuple<hub::RepoType, std::string, std::string, uid_t>; ///< repo, oid, account

    static Awaitable<> wait_for_lead(FlightPtr flight, const ObjectOrder& order);
    Awaitable<> lead(FlightPtr flight, ObjectOrder& order);
    static Awaitable<> take_over(SentParts& parts, ObjectOrder& order);
    void leave(const Key& key, const FlightPtr& flight);

    UploadContext context_;
    ObjectQuestions questions_;
    std::map<Key, FlightPtr> flights_;
    std::size_t sending_ = 0;
    async::Event changed_;
};

} // namespace wharf::transfer
