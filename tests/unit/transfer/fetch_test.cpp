#include "base/digest.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/store/partials.hpp"
#include "daemon/transfer/fetch.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/hub/support.hpp"

#include <boost/asio/this_coro.hpp>

using namespace wharf;
using transfer::FetchedBytes;
using transfer::FetchOrder;
using transfer::PieceMap;
using transfer::Span;
using transfer::SpanOrder;

namespace {

const std::string text = "0123456789abcdefghijklmnopqrstuvwxyz";
constexpr std::uint64_t piece_size = 10;

/// A file of which some bytes are there already, and a Hub that answers as it is told to.
struct Fixture {
    explicit Fixture(std::uint64_t size_of_pieces = piece_size)
        : file{partials.open(hub::test::lfs_etag, text.size(), size_of_pieces)},
          pieces{text.size(), size_of_pieces} {}

    /// As if an earlier fetch had brought the first bytes of a piece.
    void bring(std::size_t piece, std::uint64_t bytes) {
        const auto part = std::as_bytes(std::span{text}).subspan(pieces.begin_of(piece), bytes);
        file->write_at(pieces.begin_of(piece), part);
        pieces.checksum(piece).update(part);
        pieces.add_written(piece, bytes);
    }

    FetchOrder what() {
        FetchOrder order;
        order.source = {hub.repo, hub::test::commit, "f", hub.token};
        order.etag = hub::test::lfs_etag;
        order.size = text.size();
        order.connection = line;
        order.allowance = std::make_shared<scheduling::Allowance>(
            std::make_shared<scheduling::Allowance::Account>(Executor{}, scheduling::Claimant{}));
        return order;
    }
    Awaitable<> fetch(std::shared_ptr<Span> span) {
        return fetch_span(hub.client,
                          SpanOrder{.what = what(),
                                    .file = file.get(),
                                    .pieces = &pieces,
                                    .span = std::move(span),
                                    .buffers = &buffers},
                          &ranges_ignored);
    }
    std::shared_ptr<Span> take(std::uint64_t bytes) { return pieces.take(bytes, {}); }

    void answer(unsigned status, std::string body, hub::test::Fields fields = {}) {
        hub.transport.answers.push_back({status, std::move(fields), std::move(body)});
    }
    std::string content() const {
        std::string read(text.size(), '?');
        file->read_at(0, std::as_writable_bytes(std::span{read}));
        return read;
    }

    hub::test::Setup hub;
    test::TempDir folder;
    store::Partials partials{std::make_shared<const store::Directory>(folder.path()),
                             store::Space{folder.path(), 0}};
    std::unique_ptr<store::PartialFile> file;
    PieceMap pieces;
    async::BufferPool buffers{1 << 20};
    std::shared_ptr<scheduling::Connections::Line> line =
        std::make_shared<scheduling::Connections::Line>();
    bool ranges_ignored = false;
};

/// A claim that is more urgent than any, given back at once.
Awaitable<> claim(scheduling::Connections& connections) {
    const scheduling::Claimant urgent{2, scheduling::Priority::interactive};
    const auto permit = co_await connections.acquire({urgent, "host", 1});
}

/// Runs to the expected failure.
Error failure_of(Awaitable<> work) {
    try {
        wharf::test::run(std::move(work));
    } catch (const Error& error) {
        hub::test::check_discreet(error);
        return error;
    }
    FAIL("it did not fail");
    return {};
}

std::uint64_t checksum_of(std::string_view bytes) {
    PieceChecksum checksum;
    checksum.update(std::as_bytes(std::span{bytes}));
    return checksum.value();
}

} // namespace

TEST_CASE("what a span lacks is asked for, written and recorded piece by piece") {
    Fixture fixture;
    fixture.bring(1, 5);
    fixture.bring(0, 10);
    fixture.answer(206, text.substr(15), {{"Content-Range", "bytes 15-35/36"}});
    wharf::test::run(fixture.fetch(fixture.take(100)));
    CHECK(fixture.hub.transport.field(0, "Range") == "bytes=15-35");
    CHECK(fixture.pieces.is_complete());
    CHECK(fixture.content().substr(10) == text.substr(10));
    CHECK_FALSE(fixture.file->has_piece(0)); // not of this fetch
    for (std::size_t piece = 1; piece < 4; ++piece) {
        REQUIRE(fixture.file->has_piece(piece));
        CHECK(fixture.file->piece_checksum(piece) == checksum_of(text.substr(piece * 10, 10)));
    }
}

TEST_CASE("a body that breaks off leaves what came of it, and records only what is whole") {
    Fixture fixture;
    fixture.answer(206, text.substr(0, 17), {{"Content-Range", "bytes 0-29/36"}});
    const auto span = fixture.take(30);
    const Error error = failure_of(fixture.fetch(span));
    CHECK(error.kind() == ErrorKind::network);
    CHECK(fixture.pieces.position_of(1) == 17);
    CHECK(fixture.content().substr(0, 17) == text.substr(0, 17));
    CHECK(fixture.file->has_piece(0));
    CHECK_FALSE(fixture.file->has_piece(1));
}

TEST_CASE("pieces that were given to somebody else are not fetched") {
    Fixture fixture;
    const auto span = fixture.take(40);
    CHECK(span->split() == 2);
    fixture.answer(206, text.substr(0, 20), {{"Content-Range", "bytes 0-19/36"}});
    wharf::test::run(fixture.fetch(span));
    CHECK(fixture.hub.transport.field(0, "Range") == "bytes=0-19");
    CHECK(fixture.pieces.frontier() == 20);
}

namespace {

/// Somebody with a better right claims the only connection while the fetch has it.
Awaitable<> fetch_while_wanted_back(Fixture& fixture, std::shared_ptr<Span> span) {
    scheduling::Connections connections{{.overall = 1, .per_host = 1}};
    const scheduling::Claimant background{1, scheduling::Priority::background};
    auto permit = co_await connections.acquire({background, "host", text.size()});
    fixture.line = permit.line();
    async::TaskGroup others{co_await asio::this_coro::executor};
    others.spawn("urgent", claim(connections));
    co_await async::sleep_for(std::chrono::milliseconds{1});
    const auto start = scheduling::Connections::Clock::now();
    for (int second = 1; second < 5; ++second) {
        connections.tick(start + std::chrono::seconds{second});
    }
    co_await fixture.fetch(std::move(span));
    permit.release();
    co_await others.join();
}

} // namespace

TEST_CASE("a connection that is wanted back is given back with what has come") {
    Fixture fixture;
    fixture.answer(200, text);
    const auto span = fixture.take(100);
    wharf::test::run(fetch_while_wanted_back(fixture, span));
    CHECK(fixture.line->wanted_back());
    CHECK(fixture.pieces.present() < text.size());
    CHECK(fixture.content().starts_with(text.substr(0, fixture.pieces.present())));
}

TEST_CASE("a whole file instead of some of its pieces is not written") {
    Fixture fixture;
    fixture.bring(0, 10);
    fixture.answer(200, text);
    wharf::test::run(fixture.fetch(fixture.take(10)));
    CHECK(fixture.ranges_ignored);
    CHECK(fixture.pieces.present() == 10);
}

TEST_CASE("a whole file in answer to the rest of it leaves alone what is there") {
    Fixture fixture{text.size()};
    fixture.bring(0, 20);
    // Its beginning is damaged: if it were written, bytes that were hashed before would change.
    fixture.answer(200, "DAMAGED" + text.substr(7));
    wharf::test::run(fixture.fetch(fixture.take(100)));
    CHECK_FALSE(fixture.ranges_ignored);
    CHECK(fixture.pieces.is_complete());
    CHECK(fixture.content() == text);
}

TEST_CASE("a whole file that breaks off before what is there ends changes nothing") {
    Fixture fixture{text.size()};
    fixture.bring(0, 20);
    fixture.answer(200, "DAMAGED" + text.substr(7, 6));
    CHECK(failure_of(fixture.fetch(fixture.take(100))).kind() == ErrorKind::network);
    CHECK(fixture.pieces.present() == 20);
    CHECK(fixture.content().substr(0, 20) == text.substr(0, 20));
}

TEST_CASE("a small file comes into memory, after a break from where it broke off") {
    Fixture fixture;
    FetchedBytes fetched;
    fixture.answer(200, text.substr(0, 7));
    CHECK(failure_of(fetch_bytes(fixture.hub.client, fixture.what(), &fetched)).kind() ==
          ErrorKind::network);
    CHECK(fetched.present == 7);
    fixture.answer(206, text.substr(7), {{"Content-Range", "bytes 7-35/36"}});
    wharf::test::run(fetch_bytes(fixture.hub.client, fixture.what(), &fetched));
    CHECK(fixture.hub.transport.field(1, "Range") == "bytes=7-35");
    const auto bytes = std::as_bytes(std::span{text});
    CHECK(std::ranges::equal(fetched.content, bytes));
    wharf::BlobHasher hasher{hub::test::lfs_etag, text.size()};
    hasher.update(bytes);
    CHECK(fetched.digest == hasher.finish());
}

TEST_CASE("a small file whose rest comes as a whole is taken as a whole") {
    Fixture fixture;
    FetchedBytes fetched;
    fixture.answer(200, "SPOILT");
    failure_of(fetch_bytes(fixture.hub.client, fixture.what(), &fetched));
    fixture.answer(200, text);
    wharf::test::run(fetch_bytes(fixture.hub.client, fixture.what(), &fetched));
    CHECK(std::ranges::equal(fetched.content, std::as_bytes(std::span{text})));
}
