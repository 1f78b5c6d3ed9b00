#pragma once

#include "daemon/hub/hub_client.hpp"
#include "daemon/jobs/upload_work.hpp"

#include <utility>

namespace wharf::jobs {

/// Puts a question of the writing half of the protocol, again as long as that may help.
/// `question` makes a coroutine of an UploadClient, which it takes by value.
template <typename Question>
Awaitable<> UploadWork::ask(Question question, unsigned most_failures) {
    return ask_hub(
        [question = std::move(question)](hub::HubClient& hub) {
            return question(hub::UploadClient{hub.transport(), hub.endpoint()});
        },
        most_failures);
}

} // namespace wharf::jobs
