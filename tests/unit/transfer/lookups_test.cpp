#include "daemon/async/task_group.hpp"
#include "daemon/transfer/lookups.hpp"
#include "tests/unit/hub/support.hpp"
#include "tests/unit/store/fixture.hpp"

#include <map>

using namespace wharf;
using namespace std::chrono_literals;
using hub::Token;
using hub::test::Answer;
using scheduling::RateGate;
using scheduling::WaitNote;
using transfer::Lookups;
using transfer::Resolved;

namespace {

const hub::RepoId repo{hub::RepoType::model, "org/name"};

/// A Hub that answers by path, after a moment, and tells the gate.
class SlowHub final : public hub::Transport {
  public:
    explicit SlowHub(RateGate& gate) : gate_{gate} {}

    Awaitable<net::HttpResponse> send(net::HttpRequest request, hub::Account account) override {
        const std::string path = request.url.target;
        ++asked[path];
        co_await async::sleep_for(10ms);
        Answer answer = answers[path];
        if (refusals > 0 && path.find("cursor") != std::string::npos) {
            --refusals;
            answer = {429, {{"Retry-After", "0"}}, ""};
        }
        const auto headers = hub::test::headers_of(answer.fields);
        gate_.observe(hub::quota_news(request.url.authority(), account, answer.status, headers));
        auto body = std::make_unique<hub::test::CannedBody>(answer.body, bodies_);
        co_return net::HttpResponse{answer.status, headers, std::move(body)};
    }

    std::map<std::string, Answer> answers;
    std::map<std::string, int> asked;
    int refusals = 0; ///< of second pages, still to come

  private:
    RateGate& gate_;
    int bodies_ = 0;
};

std::string page(const std::string& path) {
    return "[{\"type\":\"file\",\"path\":\"" + path + "\",\"oid\":\"" + hub::test::git_etag +
           "\",\"size\":5}]";
}

struct Fixture {
    Fixture() {
        hub.answers[revision] = {200, {}, "{\"sha\":\"" + hub::test::commit + "\"}"};
        hub.answers[tree] = {
            200, {{"Link", "<" + tree + "&cursor=x>; rel=\"next\""}}, page("a.txt")};
        hub.answers[tree + "&cursor=x"] = {200, {}, page("b.txt")};
    }

    Awaitable<> ask_commit(Token token, std::vector<std::string>& found) {
        const Resolved resolved =
            co_await lookups.commit_of(repo, "main", token, std::make_shared<WaitNote>());
        found.push_back(resolved.commit);
    }
    Awaitable<> ask_tree(Token token, std::vector<std::string>& found) {
        const auto listed =
            co_await lookups.tree(repo, hub::test::commit, token, std::make_shared<WaitNote>());
        found.push_back(listed->files.back().path);
    }
    /// Waits for `group`, then ends the lookups.
    Awaitable<> finish(async::TaskGroup& group) {
        co_await group.join();
        co_await lookups.stop();
    }

    const std::string revision = "/api/models/org/name/revision/main";
    const std::string tree =
        "/api/models/org/name/tree/" + hub::test::commit + "?recursive=true&expand=false";
    asio::io_context context;
    test::StoreFixture home;
    RateGate gate;
    SlowHub hub{gate};
    Lookups lookups{{.executor = context.get_executor(),
                     .transport = hub,
                     .endpoint = net::Url::parse("https://hub.example").value(),
                     .store = home.store(),
                     .gate = gate},
                    {}};
};

} // namespace

TEST_CASE("the same question is asked once for all who wait, and for each token by itself") {
    Fixture box;
    std::vector<std::string> commits;
    std::vector<std::string> trees;
    async::TaskGroup group{box.context.get_executor()};
    for (int i = 0; i < 20; ++i) {
        group.spawn("commit", box.ask_commit(Token{"alice"}, commits));
        group.spawn("tree", box.ask_tree(Token{"alice"}, trees));
    }
    group.spawn("commit", box.ask_commit(Token{"bob"}, commits));
    group.spawn("tree", box.ask_tree(Token{"bob"}, trees));
    test::run(box.finish(group), box.context);
    CHECK(commits == std::vector<std::string>(21, hub::test::commit));
    CHECK(trees == std::vector<std::string>(21, "b.txt"));
    // Who comes after a question has gone out shares the next one; a busy machine may divide them
    // so.
    CHECK(box.hub.asked[box.revision] >= 2);
    CHECK(box.hub.asked[box.revision] <= 4);
    CHECK(box.hub.asked[box.tree] == 2);
    CHECK(box.hub.asked[box.tree + "&cursor=x"] == 2);
}

TEST_CASE("a page that is refused is asked for again, and not the listing") {
    Fixture box;
    box.hub.refusals = 1;
    std::vector<std::string> trees;
    async::TaskGroup group{box.context.get_executor()};
    group.spawn("tree", box.ask_tree(Token{}, trees));
    test::run(box.finish(group), box.context);
    CHECK(trees == std::vector<std::string>{"b.txt"});
    CHECK(box.hub.asked[box.tree] == 1);
    CHECK(box.hub.asked[box.tree + "&cursor=x"] == 2);
}

TEST_CASE("who waits for a question when the daemon stops is told so") {
    Fixture box;
    box.hub.answers[box.revision] = {429, {{"Retry-After", "60"}}, ""};
    std::vector<std::string> commits;
    std::optional<Error> failed;
    const auto ask = [&]() -> Awaitable<> {
        try {
            co_await box.ask_commit(Token{}, commits);
        } catch (const Error& error) {
            failed = error;
        }
    };
    async::TaskGroup group{box.context.get_executor()};
    const auto body = [&]() -> Awaitable<> {
        group.spawn("commit", ask());
        while (!box.gate.is_closed("hub.example", Token{}, hub::Bucket::api)) {
            co_await async::sleep_for(1ms);
        }
        co_await box.lookups.stop();
        co_await group.join();
    };
    test::run(body(), box.context);
    REQUIRE(failed);
    CHECK(failed->kind() == ErrorKind::cancelled);
}
