#pragma once

#include "daemon/access/inquiry.hpp"
#include "daemon/transfer/asking.hpp"

namespace wharf::transfer {

struct InquiryOptions {
    /// People wait for the answer, and a proof that is known may serve when none comes.
    scheduling::RetryPolicy retry{.max_failures = 3,
                                  .initial = std::chrono::milliseconds{300},
                                  .ceiling = std::chrono::milliseconds{1'000},
                                  .longest_asked = std::chrono::seconds{3}};
    /// How long one question may take in all, tries and quotas included.
    std::chrono::milliseconds limit = std::chrono::seconds{12};
};

/// The questions about repos and tokens that decide who may do what. Answers are never taken from
/// memory, but those who ask right after the Hub could not be reached are told so at once. Its
/// Errors name the repo that was asked for and nothing else. Control thread.
class HubInquiry final : public access::Inquiry {
  public:
    /// Requires: `asking` outlives this, and this the coroutines it has returned.
    explicit HubInquiry(Asking& asking, InquiryOptions options = {})
        : asking_{asking}, options_{options} {}

    Awaitable<access::Standing> standing(hub::RepoId repo) override;
    Awaitable<> check(hub::RepoId repo, hub::Token token) override;

    /// Whose the token is. Throws unauthorized when it is wrong, expired or revoked, and what
    /// check() throws when the Hub cannot be asked.
    Awaitable<hub::TokenOwner> whoami(hub::Token token);

  private:
    Awaitable<> ask(hub::Token token, std::function<Awaitable<>(hub::HubClient&)> fetch);

    Asking& asking_;
    InquiryOptions options_;
};

} // namespace wharf::transfer
