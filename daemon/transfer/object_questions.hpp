#pragma once

#include "daemon/async/task_group.hpp"
#include "daemon/transfer/asking.hpp"
#include "daemon/transfer/question.hpp"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace wharf::transfer {

/// Asks the Hub where objects' bytes are to go. Who asks for the same target at about the same time
/// shares a request. Control thread.
class ObjectQuestions {
  public:
    /// Requires: `asking` outlives this.
    ObjectQuestions(Executor executor, Asking& asking, scheduling::RetryPolicy policy);

    /// What the Hub says of this object; throws what kept it from being asked. `note` says why it
    /// waits.
    Awaitable<hub::ObjectAnswer> ask(hub::CommitTarget target, hub::LfsObject object,
                                     bool for_pull_request,
                                     std::shared_ptr<scheduling::WaitNote> note);

    /// Cancels the questions on their way and waits until they have ended.
    Awaitable<> stop();

    void set_policy(scheduling::RetryPolicy policy) noexcept { policy_ = policy; }

  private:
    /// Objects that are asked for in one request.
    struct Batch {
        hub::CommitTarget target;
        bool for_pull_request = false;
        std::vector<hub::LfsObject> objects;
        QuestionPtr<std::vector<hub::ObjectAnswer>> question =
            std::make_shared<Question<std::vector<hub::ObjectAnswer>>>();
    };
    using BatchPtr = std::shared_ptr<Batch>;

    BatchPtr open_batch(const hub::CommitTarget& target, bool for_pull_request);
    Awaitable<> put(std::string key, BatchPtr batch);
    void close(const std::string& key, const BatchPtr& batch);
    static Awaitable<> fetch(hub::UploadClient& hub, BatchPtr batch);

    Asking& asking_;
    scheduling::RetryPolicy policy_;
    std::map<std::string, BatchPtr> open_; ///< those that others may join
    async::TaskGroup tasks_;
};

} // namespace wharf::transfer
