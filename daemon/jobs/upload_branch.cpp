// The branch that a push goes to, and what else the Hub is asked on its behalf.
#include "base/log.hpp"
#include "daemon/hub/hub_client.hpp"
#include "daemon/jobs/upload_work.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

namespace wharf::jobs {

namespace {

/// The official clients' limit for what they look at; a README is not long.
constexpr std::size_t most_readme_bytes = 10 << 20;

Awaitable<> ask_head(hub::HubClient& hub, hub::CommitTarget target, std::string* head) {
    *head = co_await hub.commit_of(std::move(target.repo), std::move(target.revision),
                                   std::move(target.token));
}

Awaitable<> validate_readme(hub::UploadClient& hub, hub::CommitTarget target, std::string text,
                            std::vector<std::string>* warnings) {
    *warnings = co_await hub.validate_readme(target.repo.type, std::move(text), target.token);
}

Awaitable<> create_repo(hub::UploadClient& hub, hub::CommitTarget target, bool is_private) {
    co_await hub.create_repo(target.repo, is_private, target.token);
}

Awaitable<> create_branch(hub::UploadClient& hub, hub::CommitTarget target) {
    co_await hub.create_branch(std::move(target));
}

} // namespace

hub::CommitTarget UploadWork::target() const {
    const auto& order = record_.order;
    const auto& number = state_.pull_request;
    return {.repo = order.repo,
            .revision = number ? fmt::format("refs/pr/{}", *number) : order.revision,
            .token = order.token};
}

transfer::Way UploadWork::way() const {
    transfer::Way way;
    way.token = record_.order.token;
    way.note = note_;
    return way;
}

/// Puts a question of the writing half of the protocol, again as long as that may help.
Awaitable<> UploadWork::ask(std::function<Awaitable<>(hub::UploadClient&)> question,
                            unsigned most_failures) {
    transfer::Way asked = way();
    asked.write = std::move(question);
    asked.policy.max_failures = most_failures;
    co_await context_.lookups.asking().ask(std::move(asked));
}

/// What the branch is at, by the Hub's word of this moment. Makes what is missing if it was asked
/// to.
Awaitable<std::string> UploadWork::head() {
    for (;;) {
        std::string commit;
        std::optional<Error> failed;
        try {
            transfer::Way asked = way();
            asked.fetch = [this, &commit](hub::HubClient& hub) {
                return ask_head(hub, target(), &commit);
            };
            co_await context_.lookups.asking().ask(std::move(asked));
        } catch (const Error& error) {
            failed = error;
        }
        if (!failed) {
            co_return commit;
        }
        co_await create_missing(*failed);
    }
}

Awaitable<> UploadWork::create_missing(Error error) {
    const bool lacks_repo = error.kind() == ErrorKind::repo_not_found && !repo_made_;
    // "refs/pr/7" without such a pull request is no name for a new branch.
    const bool lacks_branch = error.kind() == ErrorKind::revision_not_found && !branch_made_ &&
                              !to_pull_request() && !record_.order.revision.starts_with("refs/");
    if (!order_.create || (!lacks_repo && !lacks_branch)) {
        throw error;
    }
    if (lacks_repo) {
        repo_made_ = true;
        co_await ask([this](hub::UploadClient& hub) {
            return create_repo(hub, target(), order_.is_private);
        });
        log::info("jobs", "job {} made the repo {}", record_.id, record_.order.repo.name);
    } else {
        branch_made_ = true;
        co_await ask([this](hub::UploadClient& hub) { return create_branch(hub, target()); });
    }
}

/// The Hub refuses commits with broken metadata, and says more about them when it is asked before.
Awaitable<> UploadWork::check_readme() {
    const auto readme = std::ranges::find_if(state_.changes, [](const PushChange& change) {
        return change.is_content() && !change.done && change.path == "README.md";
    });
    if (readme_checked_ || readme == state_.changes.end() || readme->size > most_readme_bytes) {
        co_return;
    }
    std::string text = co_await read_start(&*readme, readme->size);
    std::vector<std::string> warnings;
    co_await ask([this, &text, &warnings](hub::UploadClient& hub) {
        return validate_readme(hub, target(), text, &warnings);
    });
    readme_checked_ = true;
    for (auto& warning : warnings) {
        auto& known = order_.outcome.warnings;
        if (std::ranges::find(known, warning) == known.end()) {
            known.push_back(std::move(warning));
        }
    }
}

} // namespace wharf::jobs
