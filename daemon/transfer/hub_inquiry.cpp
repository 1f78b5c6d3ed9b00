#include "daemon/transfer/hub_inquiry.hpp"

#include <optional>

namespace wharf::transfer {

namespace {

using access::Standing;

Standing standing_of(const hub::RepoAccess& access) noexcept {
    if (access.disabled || access.is_private) {
        return Standing::hidden;
    }
    return access.gated ? Standing::gated : Standing::open;
}

/// What a refusal says of a repo. None: it is no refusal, the Hub could not be asked.
std::optional<Standing> standing_after(const Error& error) noexcept {
    const ErrorKind kind = error.kind();
    if (kind == ErrorKind::gated) {
        return Standing::gated;
    }
    if (kind == ErrorKind::repo_not_found || kind == ErrorKind::unauthorized ||
        kind == ErrorKind::forbidden) {
        return Standing::hidden;
    }
    return std::nullopt;
}

Awaitable<> ask_standing(hub::HubClient& hub, hub::RepoId repo, std::optional<Standing>* answer) {
    try {
        const hub::RepoAccess access = co_await hub.standing(std::move(repo));
        *answer = standing_of(access);
    } catch (const Error& error) {
        *answer = standing_after(error);
        if (!*answer) {
            throw;
        }
    }
}

Awaitable<> ask_owner(hub::HubClient& hub, hub::Token token, hub::TokenOwner* owner) {
    *owner = co_await hub.whoami(std::move(token));
}

} // namespace

Awaitable<Standing> HubInquiry::standing(hub::RepoId repo) {
    std::optional<Standing> answer;
    co_await ask({},
                 [repo, &answer](hub::HubClient& hub) { return ask_standing(hub, repo, &answer); });
    co_return answer.value();
}

Awaitable<> HubInquiry::check(hub::RepoId repo, hub::Token token) {
    co_await ask(token, [repo, token](hub::HubClient& hub) { return hub.auth_check(repo, token); });
}

Awaitable<hub::TokenOwner> HubInquiry::whoami(hub::Token token) {
    hub::TokenOwner owner;
    co_await ask(token,
                 [token, &owner](hub::HubClient& hub) { return ask_owner(hub, token, &owner); });
    co_return owner;
}

Awaitable<> HubInquiry::ask(hub::Token token, std::function<Awaitable<>(hub::HubClient&)> fetch) {
    if (const auto away = asking_.away()) {
        throw Error{*away};
    }
    Way way;
    way.fetch = std::move(fetch);
    way.policy = options_.retry;
    way.token = std::move(token);
    way.note = std::make_shared<scheduling::WaitNote>(); // nobody shows it
    co_await asking_.ask_within(options_.limit, std::move(way));
}

} // namespace wharf::transfer
