#include "daemon/transfer/object_questions.hpp"

#include "base/digest.hpp"

#include <fmt/format.h>

namespace wharf::transfer {

namespace {

/// How long the first one waits for others. Files of one push are ready at about the same time.
constexpr std::chrono::milliseconds moment{5};

std::string key_of(const hub::CommitTarget& target, bool for_pull_request) {
    const auto& token = target.token;
    return fmt::format("{} {} {} {} {}", name(target.repo.type), target.repo.name, target.revision,
                       for_pull_request, token.empty() ? "" : sha256_hex(token.reveal()));
}

} // namespace

ObjectQuestions::ObjectQuestions(Executor executor, Asking& asking, scheduling::RetryPolicy policy)
    : asking_{asking}, policy_{policy}, tasks_{std::move(executor)} {}

Awaitable<> ObjectQuestions::stop() {
    tasks_.cancel();
    co_await tasks_.join();
}

Awaitable<hub::ObjectAnswer> ObjectQuestions::ask(hub::CommitTarget target, hub::LfsObject object,
                                                  bool for_pull_request,
                                                  std::shared_ptr<scheduling::WaitNote> note) {
    const BatchPtr batch = open_batch(target, for_pull_request);
    const std::size_t place = batch->objects.size();
    batch->objects.push_back(std::move(object));
    if (batch->objects.size() == hub::objects_per_batch) {
        close(key_of(target, for_pull_request), batch);
    }
    const auto answers = co_await answer_to(batch->question, std::move(note));
    co_return answers.at(place);
}

ObjectQuestions::BatchPtr ObjectQuestions::open_batch(const hub::CommitTarget& target,
                                                      bool for_pull_request) {
    const std::string key = key_of(target, for_pull_request);
    auto& batch = open_[key];
    if (!batch) {
        batch = std::make_shared<Batch>();
        batch->target = target;
        batch->for_pull_request = for_pull_request;
        tasks_.spawn("objects of " + target.repo.name, put(key, batch));
    }
    return batch;
}

/// Nobody joins it any more.
void ObjectQuestions::close(const std::string& key, const BatchPtr& batch) {
    const auto found = open_.find(key);
    if (found != open_.end() && found->second == batch) {
        open_.erase(found);
    }
}

Awaitable<> ObjectQuestions::put(std::string key, BatchPtr batch) {
    const ScopeExit over{[this, &key, &batch] {
        close(key, batch);
        settle(*batch->question);
    }};
    co_await async::sleep_for(moment);
    close(key, batch);
    Way way;
    way.policy = policy_;
    way.token = batch->target.token;
    way.note = batch->question->note;
    way.write = [batch](hub::UploadClient& hub) { return fetch(hub, batch); };
    try {
        co_await asking_.ask(std::move(way));
    } catch (const Error& error) { // for those who wait
        batch->question->failure = error;
    }
}

Awaitable<> ObjectQuestions::fetch(hub::UploadClient& hub, BatchPtr batch) {
    auto answers = co_await hub.batch(batch->target, batch->objects, batch->for_pull_request);
    if (answers.size() != batch->objects.size()) {
        throw Error{ErrorKind::protocol, fmt::format("the Hub answered for {} of {} objects",
                                                     answers.size(), batch->objects.size())};
    }
    batch->question->answer = std::move(answers);
}

} // namespace wharf::transfer
