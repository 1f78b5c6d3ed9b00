#pragma once

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/task_group.hpp"

#include <algorithm>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace wharf::access {

/// Questions on their way, each shared by all who want to know the same: who comes while it is on
/// its way waits for its answer. It belongs to none of them: who is cancelled leaves it to the
/// others, and it comes to its end when nobody is left. No answer is kept. One thread.
template <typename Key, typename Answer>
class Questions {
  public:
    using Put = std::function<Awaitable<Answer>()>;

    /// Requires: `tasks` is joined before this ends.
    explicit Questions(async::TaskGroup& tasks) : tasks_{tasks} {}

    /// The answer to the question on its way, or to a new one that `put` begins. Throws the Error
    /// that it ended with.
    Awaitable<Answer> ask(Key key, Put put) {
        QuestionPtr& on_its_way = questions_[key];
        if (!on_its_way) {
            on_its_way = std::make_shared<Question>();
            tasks_.spawn("question about access", carry_out(key, on_its_way, std::move(put)));
        }
        const QuestionPtr question = on_its_way;
        while (!question->is_over) {
            co_await question->over.wait();
        }
        if (question->failure) {
            throw *question->failure;
        }
        co_return *question->answer;
    }

    bool is_asked(const Key& key) const { return questions_.contains(key); }

    /// How many of the questions on their way are of a kind.
    template <typename Predicate>
    std::size_t count_if(Predicate predicate) const {
        return static_cast<std::size_t>(std::ranges::count_if(
            questions_, [&](const auto& entry) { return predicate(entry.first); }));
    }

  private:
    struct Question {
        std::optional<Answer> answer;
        std::optional<Error> failure;
        bool is_over = false;
        async::Event over;
    };
    using QuestionPtr = std::shared_ptr<Question>;

    Awaitable<> carry_out(Key key, QuestionPtr question, Put put) {
        // Whatever ends this, nobody may wait for ever.
        const ScopeExit over{[&] {
            if (!question->answer && !question->failure) {
                question->failure = Error{ErrorKind::cancelled, "the daemon is shutting down"};
            }
            question->is_over = true;
            questions_.erase(key);
            question->over.notify_all();
        }};
        try {
            question->answer = co_await put();
        } catch (const Error& error) {
            question->failure = error;
        }
    }

    async::TaskGroup& tasks_;
    std::map<Key, QuestionPtr> questions_;
};

} // namespace wharf::access
