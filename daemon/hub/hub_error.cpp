#include "daemon/hub/hub_error.hpp"

#include "daemon/hub/hub_json.hpp"
#include "daemon/hub/quota.hpp"
#include "daemon/hub/text.hpp"

#include <fmt/format.h>

namespace wharf::hub {

namespace {

std::string_view field(const net::Headers& headers, std::string_view name) noexcept {
    return trimmed(headers.find(name).value_or(""));
}

/// ": " and what the Hub says about it; empty when it says nothing that can be shown.
std::string spoken_reason(const Refusal& refusal, const Subject& subject) {
    if (!subject.alias.empty()) {
        return {};
    }
    std::string text = spoken_text(field(refusal.headers, "X-Error-Message"));
    if (text.empty()) {
        text = spoken_text(error_text(refusal.body));
    }
    while (text.ends_with('.')) {
        text.pop_back();
    }
    return text.empty() ? "" : ": " + text;
}

Error with_wait(Error error, const Refusal& refusal) {
    if (const auto wait = wait_asked(refusal.headers, refusal.now)) {
        error.set_retry_after(*wait);
    }
    return error;
}

Error no_such_repo(const Subject& subject) {
    return Error{ErrorKind::repo_not_found,
                 fmt::format("{} does not exist or is not visible to you", describe(subject.repo)),
                 "check the name, or use a token that may see the repo"};
}

Error no_such_file(const Subject& subject) {
    if (subject.path.empty() && subject.alias.empty()) {
        return Error{ErrorKind::file_not_found,
                     fmt::format("the Hub has no files of {}", describe(subject))};
    }
    return Error{ErrorKind::file_not_found, fmt::format("{} does not exist", describe(subject)),
                 "check the file's name; names are case-sensitive"};
}

Error no_such_revision(const Subject& subject) {
    return Error{
        ErrorKind::revision_not_found,
        fmt::format("{} has no revision {}", describe(subject.repo), quoted(subject.revision)),
        "check the name of the branch, tag or commit"};
}

Error gated(const Subject& subject) {
    return Error{ErrorKind::gated,
                 fmt::format("{} is gated and access has not been granted", describe(subject.repo)),
                 "ask for access on the repo's page, then use a token of that account"};
}

Error bad_token(const Subject& subject) {
    const std::string what = subject.repo.name.empty() ? "" : " for " + describe(subject.repo);
    return Error{
        ErrorKind::unauthorized, fmt::format("the Hub does not accept the token{}", what),
        "it may be mistyped, expired or revoked; `wharf auth login` replaces a stored one"};
}

Error rate_limited(const Refusal& refusal, std::string_view who) {
    Error error{ErrorKind::rate_limited, fmt::format("{} asks to send fewer requests", who),
                "wait, or use a token: its limits are higher"};
    return with_wait(std::move(error), refusal);
}

Error unavailable(const Refusal& refusal, std::string_view who, const Subject& subject) {
    Error error{ErrorKind::unavailable, fmt::format("{} cannot serve {} now (status {})", who,
                                                    describe(subject), refusal.status)};
    return with_wait(std::move(error), refusal);
}

bool is_overload(unsigned status) noexcept {
    return status == 408 || status >= 500;
}

/// The errors that the Hub names itself, in the official client's order; none if it names none.
std::optional<Error> named_error(const Refusal& refusal, const Subject& subject) {
    const std::string_view code = field(refusal.headers, "X-Error-Code");
    if (code == "RevisionNotFound") {
        return no_such_revision(subject);
    }
    if (code == "EntryNotFound") {
        return no_such_file(subject);
    }
    if (code == "GatedRepo") {
        return gated(subject);
    }
    if (field(refusal.headers, "X-Error-Message") == "Access to this resource is disabled.") {
        return Error{ErrorKind::forbidden,
                     fmt::format("the Hub has disabled {}", describe(subject.repo))};
    }
    return code == "RepoNotFound" ? std::optional{no_such_repo(subject)} : std::nullopt;
}

/// The Hub has not been asked: this says nothing about who may have what.
Error bad_proxy() {
    return Error{ErrorKind::network, "the proxy asks for a user and password",
                 "put them into the proxy's address in the configuration"}
        .set_lasting();
}

/// The errors that only the status tells.
Error plain_error(const Refusal& refusal, const Subject& subject) {
    const std::string what = describe(subject);
    switch (refusal.status) {
    case 401:
        if (subject.repo.name.empty() || field(refusal.headers, "X-Error-Message") ==
                                             "Invalid credentials in Authorization header") {
            return bad_token(subject);
        }
        return no_such_repo(subject);
    case 404:
        return no_such_repo(subject);
    case 402:
    case 403:
    case 451:
        return Error{ErrorKind::forbidden,
                     fmt::format("the Hub refuses {}{}", what, spoken_reason(refusal, subject))};
    case 407:
        return bad_proxy();
    default:
        return Error{ErrorKind::protocol,
                     fmt::format("the Hub answered {} for {}{}", refusal.status, what,
                                 spoken_reason(refusal, subject))};
    }
}

/// Found fault with: it will not be taken tomorrow either.
Error unacceptable(const Refusal& refusal, const Subject& subject) {
    if (refusal.status == 413) {
        return Error{ErrorKind::invalid_request,
                     fmt::format("the Hub does not take so much at once for {}{}",
                                 describe(subject), spoken_reason(refusal, subject)),
                     "push fewer or smaller files at a time"};
    }
    return Error{ErrorKind::invalid_request,
                 fmt::format("the Hub does not take what was sent for {}{}", describe(subject),
                             spoken_reason(refusal, subject))};
}

/// The errors of writing that the status tells; none if they are those of reading.
std::optional<Error> plain_write_error(const Refusal& refusal, const Subject& subject) {
    switch (refusal.status) {
    case 400:
    case 413:
    case 422:
        return unacceptable(refusal, subject);
    case 401:
        return bad_token(subject);
    case 403:
        return Error{ErrorKind::forbidden,
                     fmt::format("the Hub does not let this token write to {}{}",
                                 describe(subject.repo), spoken_reason(refusal, subject)),
                     "use a token with the right to write, of somebody who may write there"};
    case 409: // something else is being done to the repo
        return unavailable(refusal, "the Hub", subject);
    case 412:
        return Error{ErrorKind::conflict,
                     fmt::format("{} is not where it was said to be", describe(subject)),
                     "somebody else has pushed: look at what is there now, then push again"};
    default:
        return std::nullopt;
    }
}

} // namespace

std::string describe(const RepoId& repo) {
    return fmt::format("{} {}", name(repo.type), repo.name);
}

Subject shared_file(const RepoId& repo, std::string_view revision) {
    return {repo, std::string{revision}, {}, "the file"};
}

Subject token_account() {
    return {{}, {}, {}, "the token's account"};
}

std::string describe(const Subject& subject) {
    if (!subject.alias.empty()) {
        return std::string{subject.alias};
    }
    std::string text = describe(subject.repo);
    if (!subject.path.empty()) {
        text = fmt::format("{} of {}", quoted(subject.path), text);
    }
    if (!subject.revision.empty()) {
        text += fmt::format(" at {}", quoted(subject.revision));
    }
    return text;
}

Error hub_error(const Refusal& refusal, const Subject& subject) {
    if (auto named = named_error(refusal, subject)) {
        return *std::move(named);
    }
    if (refusal.status == 429) {
        return rate_limited(refusal, "the Hub");
    }
    if (is_overload(refusal.status)) {
        return unavailable(refusal, "the Hub", subject);
    }
    return plain_error(refusal, subject);
}

Error write_error(const Refusal& refusal, const Subject& subject) {
    if (field(refusal.headers, "X-Error-Code") == "EntryNotFound") {
        return Error{ErrorKind::file_not_found,
                     fmt::format("what is to be changed in {} is not there{}", describe(subject),
                                 spoken_reason(refusal, subject)),
                     "check the file's name; names are case-sensitive"};
    }
    if (auto named = named_error(refusal, subject)) {
        return *std::move(named);
    }
    if (auto error = plain_write_error(refusal, subject)) {
        return *std::move(error);
    }
    return hub_error(refusal, subject);
}

Error upload_error(const Refusal& refusal, const net::Url& location, const Subject& subject) {
    const std::string host = location.authority();
    switch (refusal.status) {
    case 400: // how some object stores answer to an expired signature
    case 401:
    case 403:
    case 404:
    case 410:
        return Error{ErrorKind::unavailable,
                     fmt::format("{} no longer takes {} (status {})", host, describe(subject),
                                 refusal.status),
                     "ask the Hub again where it is to go"}
            .set_lasting();
    case 407:
        return bad_proxy();
    case 413:
        return unacceptable(refusal, subject);
    case 422:
        return Error{ErrorKind::integrity,
                     fmt::format("{} is not what was announced, says {}", describe(subject), host)};
    default:
        return location_error(refusal, location, subject);
    }
}

Error location_error(const Refusal& refusal, const net::Url& location, const Subject& subject) {
    const std::string host = location.authority();
    switch (refusal.status) {
    case 400: // how some object stores answer to an expired signature
    case 401:
    case 403:
    case 404:
    case 410:
        return Error{ErrorKind::unavailable,
                     fmt::format("{} no longer serves {} (status {})", host, describe(subject),
                                 refusal.status),
                     "ask the Hub again where the file is"};
    case 429:
        return rate_limited(refusal, host);
    default:
        break;
    }
    if (is_overload(refusal.status)) {
        return unavailable(refusal, host, subject);
    }
    return Error{ErrorKind::protocol,
                 fmt::format("{} answered {} for {}", host, refusal.status, describe(subject))};
}

bool hub_is_away(const Error& error) noexcept {
    return error.kind() == ErrorKind::network || error.kind() == ErrorKind::unavailable ||
           error.kind() == ErrorKind::rate_limited || error.kind() == ErrorKind::protocol;
}

bool is_refusal(const Error& error) noexcept {
    return error.kind() == ErrorKind::unauthorized || error.kind() == ErrorKind::repo_not_found ||
           error.kind() == ErrorKind::gated || error.kind() == ErrorKind::forbidden;
}

} // namespace wharf::hub
