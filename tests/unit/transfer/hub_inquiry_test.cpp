#include "daemon/async/event.hpp"
#include "daemon/transfer/hub_inquiry.hpp"
#include "tests/unit/hub/support.hpp"

using namespace wharf;
using namespace std::chrono_literals;
using access::Standing;
using hub::Token;
using hub::test::Answer;
using hub::test::Fields;
using transfer::HubInquiry;

namespace {

const hub::RepoId repo{hub::RepoType::model, "org/name"};
const std::string public_info = R"({"private":false,"gated":false,"disabled":false})";

/// Answers in order and tells the gate; without an answer left it breaks the connection, or never
/// answers.
class Hub final : public hub::Transport {
  public:
    explicit Hub(scheduling::RateGate& gate) : gate_{gate} {}

    Awaitable<net::HttpResponse> send(net::HttpRequest request, hub::Account account) override {
        ++asked;
        if (answers.empty()) {
            if (silent) {
                co_await async::sleep_for(1h);
            }
            throw Error{ErrorKind::network, "connecting to hub.example: refused"};
        }
        const Answer answer = answers.front();
        answers.pop_front();
        const auto headers = hub::test::headers_of(answer.fields);
        gate_.observe(hub::quota_news(request.url.authority(), account, answer.status, headers));
        auto body = std::make_unique<hub::test::CannedBody>(answer.body, bodies_);
        co_return net::HttpResponse{answer.status, headers, std::move(body)};
    }

    std::deque<Answer> answers;
    int asked = 0;
    bool silent = false;

  private:
    scheduling::RateGate& gate_;
    int bodies_ = 0;
};

struct Fixture {
    template <typename T>
    static Awaitable<> keep(Awaitable<T> work, std::optional<T>* kept) {
        *kept = co_await std::move(work);
    }
    std::optional<Error> failure_of(Awaitable<> work) {
        try {
            test::run(std::move(work), context);
        } catch (const Error& error) {
            return error;
        }
        return std::nullopt;
    }
    std::optional<Error> checked(const Token& token = Token{"hf_alice"}) {
        return failure_of(inquiry.check(repo, token));
    }
    /// None: it could not be asked; `error` says why.
    std::optional<Standing> standing() {
        std::optional<Standing> kept;
        error = failure_of(keep(inquiry.standing(repo), &kept));
        return kept;
    }

    asio::io_context context;
    scheduling::RateGate gate;
    Hub hub{gate};
    transfer::Asking asking{context.get_executor(), hub,
                            net::Url::parse("https://hub.example").value(), gate};
    HubInquiry inquiry{asking,
                       {.retry = {.max_failures = 3,
                                  .initial = 2ms,
                                  .ceiling = 4ms,
                                  .longest_asked = std::chrono::seconds{3}},
                        .limit = 150ms}};
    std::optional<Error> error;
};

} // namespace

TEST_CASE("a repo is what the Hub says to somebody without a token") {
    for (const auto& [answer, standing] : std::vector<std::pair<Answer, Standing>>{
             {{200, {}, public_info}, Standing::open},
             {{200, {}, R"({"private":false,"gated":"auto"})"}, Standing::gated},
             {{200, {}, R"({"private":false})"}, Standing::gated},
             {{200, {}, R"({"private":true,"gated":false})"}, Standing::hidden},
             {{200, {}, R"({"private":false,"gated":false,"disabled":true})"}, Standing::hidden},
             {{401, {{"X-Error-Code", "RepoNotFound"}}, ""}, Standing::hidden},
             {{401, {}, ""}, Standing::hidden},
             {{403, {}, ""}, Standing::hidden},
             {{401, {{"X-Error-Code", "GatedRepo"}}, ""}, Standing::gated}}) {
        Fixture box;
        box.hub.answers = {answer};
        CHECK(box.standing() == standing);
        CHECK(box.hub.asked == 1);
    }
}

TEST_CASE("a check passes or throws the Hub's refusal, after one question") {
    Fixture box;
    box.hub.answers = {{200, {}, "OK"}};
    CHECK_FALSE(box.checked());
    for (const auto& [answer, kind] : std::vector<std::pair<Answer, ErrorKind>>{
             {{401, {{"X-Error-Message", "Invalid credentials in Authorization header"}}, ""},
              ErrorKind::unauthorized},
             {{404, {{"X-Error-Code", "RepoNotFound"}}, ""}, ErrorKind::repo_not_found},
             {{403, {{"X-Error-Code", "GatedRepo"}}, ""}, ErrorKind::gated},
             {{403, {}, ""}, ErrorKind::forbidden}}) {
        box.hub.asked = 0;
        box.hub.answers = {answer};
        CHECK(box.checked().value().kind() == kind);
        CHECK(box.hub.asked == 1);
    }
}

TEST_CASE("nothing is answered from memory") {
    Fixture box;
    box.hub.answers = {{200, {}, public_info}, {401, {}, ""}, {200, {}, "OK"}, {403, {}, ""}};
    CHECK(box.standing() == Standing::open);
    CHECK(box.standing() == Standing::hidden);
    CHECK_FALSE(box.checked());
    CHECK(box.checked());
}

TEST_CASE("what may heal is asked again, a few times") {
    Fixture box;
    box.hub.answers = {{503, {}, ""}, {200, {}, public_info}};
    CHECK(box.standing() == Standing::open);
    box.hub.answers = {{503, {}, ""}, {503, {}, ""}, {503, {}, ""}, {200, {}, public_info}};
    CHECK_FALSE(box.standing());
    CHECK(box.error->kind() == ErrorKind::unavailable);
}

TEST_CASE("a Hub that was not reached a moment ago is not waited for again") {
    Fixture box;
    CHECK_FALSE(box.standing());
    CHECK(box.error->kind() == ErrorKind::network);
    CHECK(box.hub.asked == 3);
    const Error refused = box.checked().value();
    CHECK(refused.kind() == ErrorKind::network);
    CHECK(refused.message().find("org/name") == std::string::npos);
    CHECK(box.hub.asked == 3);
}

TEST_CASE("any answer ends what is known of an outage") {
    Fixture box;
    box.standing();
    REQUIRE(box.asking.away());
    box.hub.answers = {{403, {}, ""}};
    transfer::Way way;
    way.note = std::make_shared<scheduling::WaitNote>();
    way.fetch = [](hub::HubClient& hub) { return hub.auth_check(repo, Token{}); };
    CHECK(box.failure_of(box.asking.ask(std::move(way))));
    CHECK_FALSE(box.asking.away());
}

TEST_CASE("a Hub that does not answer is given up, and taken for away") {
    Fixture box;
    box.hub.silent = true;
    CHECK_FALSE(box.standing());
    CHECK(box.error->kind() == ErrorKind::network);
    CHECK(box.asking.away());
}

TEST_CASE("a quota is not waited for longer than people wait") {
    Fixture box;
    box.hub.answers = {{429, {{"Retry-After", "60"}}, ""}};
    const Error late = box.checked().value();
    CHECK(late.kind() == ErrorKind::rate_limited);
    CHECK(box.hub.asked == 1);
    CHECK_FALSE(box.asking.away()); // it did answer
    // Less than what is too long to ask for, and still more than there is time.
    Fixture brief;
    brief.hub.answers = {{429, {{"Retry-After", "2"}}, ""}};
    brief.checked();
    const Error held = brief.checked().value();
    CHECK(held.kind() == ErrorKind::rate_limited);
    CHECK(brief.hub.asked == 1);
}

TEST_CASE("a token's owner is asked for in the same way") {
    Fixture box;
    box.hub.answers = {{503, {}, ""}, {200, {}, R"({"name":"alice"})"}, {401, {}, ""}};
    std::optional<hub::TokenOwner> owner;
    test::run(Fixture::keep(box.inquiry.whoami(Token{"hf_alice"}), &owner), box.context);
    CHECK(owner->name == "alice");
    CHECK(box.failure_of(Fixture::keep(box.inquiry.whoami(Token{"hf_alice"}), &owner))
              .value()
              .kind() == ErrorKind::unauthorized);
}
