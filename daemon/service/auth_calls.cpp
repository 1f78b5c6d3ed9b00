// org.wharf.Auth: the tokens that are kept for the accounts of this machine.
#include "daemon/service/auth_calls.hpp"

#include "daemon/service/call_token.hpp"
#include "daemon/service/wire.hpp"
#include "protocol/utf8.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <memory>

namespace wharf::service {

namespace json = boost::json;

namespace {

using access::AuditEvent;

/// Names that the Hub tells are for people: longer ones are no names.
constexpr std::size_t longest_name = 200;

std::string as_name(const std::string& text) {
    return protocol::to_utf8(std::string_view{text}.substr(0, longest_name));
}

json::object to_json(const access::StoredToken& token) {
    return {{"uid", static_cast<std::int64_t>(token.uid)},
            {"user", token.user},
            {"token_name", token.name},
            {"role", token.role},
            {"stored", format_time(token.stored)},
            {"fault", or_null(token.fault)}};
}

Error not_logged_in() {
    return Error{ErrorKind::unauthorized, "no token was given, and none is stored for you",
                 "`wharf auth login` stores one"};
}

/// Takes down what came of a login or logout.
void record(const AuthCallContext& context, AuditEvent::Action action, uid_t uid,
            const std::string& detail, std::string_view result) {
    context.audit.record({.action = action,
                          .uid = uid,
                          .repo = {},
                          .detail = detail,
                          .result = std::string{result}});
}

/// What can be said without asking the Hub.
void check_token(const hub::Token& token) {
    if (token.empty()) {
        throw Error{ErrorKind::invalid_request, "the token is empty",
                    "make one in the settings of your account at the Hub"};
    }
    if (token.reveal().starts_with("api_org")) {
        throw Error{ErrorKind::invalid_request,
                    "this is the token of an organisation, which cannot be logged in with",
                    "use a token of your own: see the settings of your account at the Hub"};
    }
}

/// How many questions about tokens an account may have on their way to the Hub: they are quotas of
/// all.
constexpr unsigned most_questions = 4;

/// One of these, as long as it lives.
class Question {
  public:
    /// Throws a rate_limited Error when there are too many.
    Question(std::map<uid_t, unsigned>& asking, uid_t uid) : asking_{asking}, uid_{uid} {
        if (asking_[uid_] >= most_questions) {
            throw Error{
                ErrorKind::rate_limited,
                fmt::format("{} questions about tokens of yours are on their way to the Hub",
                            most_questions),
                "wait until they are answered, then try again"};
        }
        ++asking_[uid_];
    }
    Question(const Question&) = delete;
    Question& operator=(const Question&) = delete;
    ~Question() {
        if (--asking_[uid_] == 0) {
            asking_.erase(uid_);
        }
    }

  private:
    std::map<uid_t, unsigned>& asking_;
    uid_t uid_;
};

Awaitable<access::StoredToken> log_in(const AuthCallContext& context, uid_t uid, hub::Token token) {
    check_token(token);
    const Question question{*context.asking, uid};
    const hub::TokenOwner owner = co_await context.whoami(token);
    access::StoredToken about{.uid = uid,
                              .user = as_name(owner.name),
                              .name = as_name(owner.token_name),
                              .role = as_name(owner.token_role),
                              .stored = std::chrono::system_clock::now()};
    const bool is_new = context.vault.token_of(uid) != token;
    co_await context.vault.store(about, std::move(token));
    if (is_new) {
        context.token_changed(uid);
    }
    co_return about;
}

Awaitable<> login(const AuthCallContext& context, Call& call) {
    const uid_t uid = call.peer().uid;
    hub::Token token{call.take_secret("token").value_or(Secret{})};
    access::StoredToken about;
    try {
        about = co_await log_in(context, uid, std::move(token));
    } catch (const Error& error) {
        record(context, AuditEvent::Action::login, uid, {}, name(error.kind()));
        throw;
    }
    record(context, AuditEvent::Action::login, uid, fmt::format("as {}", about.user), "ok");
    co_await call.reply({{"token", to_json(about)}});
}

Awaitable<> logout(const AuthCallContext& context, Call& call) {
    const uid_t uid = call.peer().uid;
    const auto about = context.vault.find(uid);
    const bool was_there = co_await context.vault.forget(uid);
    if (!about || !was_there) {
        co_await call.reply({{"token", nullptr}});
        co_return;
    }
    context.token_changed(uid);
    record(context, AuditEvent::Action::logout, uid, fmt::format("as {}", about->user), "ok");
    co_await call.reply({{"token", to_json(*about)}});
}

Awaitable<> who_am_i(const AuthCallContext& context, Call& call) {
    CallToken given = take_token(call, context.vault);
    if (given.token.empty()) {
        throw not_logged_in();
    }
    const Question question{*context.asking, call.peer().uid};
    const hub::TokenOwner owner = co_await context.whoami(std::move(given.token));
    json::array orgs;
    for (const auto& org : owner.orgs) {
        orgs.push_back(json::string{as_name(org)});
    }
    co_await call.reply({{"user", as_name(owner.name)},
                         {"fullname", as_name(owner.fullname)},
                         {"orgs", std::move(orgs)},
                         {"endpoint", context.endpoint},
                         {"token_name", as_name(owner.token_name)},
                         {"role", as_name(owner.token_role)},
                         {"stored", given.is_stored}});
}

Awaitable<> list(const AuthCallContext& context, Call& call) {
    const bool all = read_flag(call.parameters(), "all");
    if (all && !call.rights().administer) {
        throw access::PolicyRefusal{"only administrators see who has stored a token",
                                    "without \"all\" you see your own"};
    }
    json::array tokens;
    for (const auto& token : context.vault.list()) {
        if (all || token.uid == call.peer().uid) {
            tokens.push_back(to_json(token));
        }
    }
    co_await call.reply({{"tokens", std::move(tokens)}});
}

} // namespace

void add_auth_calls(Dispatcher& dispatcher, AuthCallContext context) {
    // Shared by the rows, which live as long as the dispatcher.
    const auto shared = std::make_shared<const AuthCallContext>(std::move(context));
    using Method = Awaitable<> (*)(const AuthCallContext&, Call&);
    const auto add = [&](std::string name, Method method) {
        dispatcher.add({.name = "org.wharf.Auth." + std::move(name),
                        .handler = [shared, method](Call& call) { return method(*shared, call); }});
    };
    add("Login", login);
    add("Logout", logout);
    add("WhoAmI", who_am_i);
    add("List", list);
}

} // namespace wharf::service
