#pragma once

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "daemon/async/event.hpp"
#include "daemon/scheduling/rate_gate.hpp"

#include <chrono>
#include <memory>
#include <optional>

namespace wharf::transfer {

/// One question that any number of coroutines wait for, and that somebody else asks. Control
/// thread.
template <typename Answer>
struct Question {
    bool is_over() const noexcept { return answer || failure; }

    std::optional<Answer> answer;
    std::optional<Error> failure;
    async::Event answered;
    std::shared_ptr<scheduling::WaitNote> note =
        std::make_shared<scheduling::WaitNote>(); ///< the asking one's
    bool is_out = false;                          ///< a request for it is on its way
};

template <typename Answer>
using QuestionPtr = std::shared_ptr<Question<Answer>>;

/// Nobody may wait for ever, whatever ended the asking: called when it is over.
template <typename Answer>
void settle(Question<Answer>& question) {
    if (!question.is_over()) {
        question.failure = Error{ErrorKind::cancelled, "the daemon is shutting down"};
    }
    question.answered.notify_all();
}

/// Waits for the answer, or throws what the asking met; `note` says meanwhile why it waits.
template <typename Answer>
Awaitable<Answer> answer_to(QuestionPtr<Answer> question,
                            std::shared_ptr<scheduling::WaitNote> note) {
    const ScopeExit quiet{[note] { note->reason.clear(); }};
    while (!question->is_over()) {
        note->reason = question->note->reason;
        co_await question->answered.wait_for(std::chrono::milliseconds{200});
    }
    if (question->failure) {
        throw *question->failure;
    }
    co_return *question->answer;
}

} // namespace wharf::transfer
