#include "daemon/transfer/piece_fetch.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/hub/support.hpp"

using namespace wharf;
using hub::test::error_of;
using hub::test::result_of;
using store::PartialFile;
using transfer::Piece;
using transfer::PieceOrder;
using transfer::PieceOutcome;

namespace {

const std::string text = "0123456789abcdefghijklmnopqrstuvwxyz";

/// A file of which some bytes are there already, and a Hub that answers as it is told to.
struct Fixture {
    explicit Fixture(std::uint64_t written, std::uint64_t begin = 0) : piece{begin, text.size()} {
        file.reserve();
        file.write_at(begin, std::as_bytes(std::span{text}).subspan(begin, written));
        piece.written = written;
    }

    PieceOrder order(bool whole_file) {
        return {.source = {hub.repo, hub::test::commit, "f", hub.token},
                .etag = hub::test::lfs_etag,
                .size = text.size(),
                .location = std::nullopt,
                .file = &file,
                .piece = &piece,
                .whole_file = whole_file,
                .located = {}};
    }
    void answer(unsigned status, std::string body, hub::test::Fields fields = {}) {
        hub.transport.answers.push_back({status, std::move(fields), std::move(body)});
    }
    std::string content() const {
        std::string read(text.size(), '?');
        file.read_at(0, std::as_writable_bytes(std::span{read}));
        return read;
    }

    hub::test::Setup hub;
    test::TempDir folder;
    PartialFile file{std::make_shared<store::Directory>(folder.path()), "partial",
                     hub::test::lfs_etag, text.size()};
    Piece piece;
};

} // namespace

TEST_CASE("what a piece lacks is asked for and written") {
    Fixture fixture{5, 10};
    fixture.answer(206, text.substr(15), {{"Content-Range", "bytes 15-35/36"}});
    const auto outcome = result_of(fetch_piece(fixture.hub.client, fixture.order(false)));
    CHECK_FALSE(outcome.range_ignored);
    CHECK(fixture.hub.transport.field(0, "Range") == "bytes=15-35");
    CHECK(fixture.piece.complete());
    CHECK(fixture.content().substr(10) == text.substr(10));
}

TEST_CASE("a body that breaks off leaves what came of it") {
    Fixture fixture{0};
    fixture.answer(200, text.substr(0, 7));
    const Error error = error_of(fetch_piece(fixture.hub.client, fixture.order(true)));
    CHECK(error.kind() == ErrorKind::network);
    CHECK(fixture.piece.written == 7);
    CHECK(fixture.content().substr(0, 7) == text.substr(0, 7));
}

TEST_CASE("a whole file in answer to the rest of it leaves alone what is there") {
    Fixture fixture{20};
    // Its beginning is damaged: if it were written, bytes that were hashed before would change.
    fixture.answer(200, "DAMAGED" + text.substr(7));
    const auto outcome = result_of(fetch_piece(fixture.hub.client, fixture.order(true)));
    CHECK_FALSE(outcome.range_ignored);
    CHECK(fixture.piece.complete());
    CHECK(fixture.content() == text);
}

TEST_CASE("a whole file that breaks off before what is there ends changes nothing") {
    Fixture fixture{20};
    fixture.answer(200, "DAMAGED" + text.substr(7, 6));
    CHECK(error_of(fetch_piece(fixture.hub.client, fixture.order(true))).kind() ==
          ErrorKind::network);
    CHECK(fixture.piece.written == 20);
    CHECK(fixture.content().substr(0, 20) == text.substr(0, 20));
}

TEST_CASE("a whole file instead of one of several pieces is not written") {
    Fixture fixture{0, 10};
    fixture.answer(200, text);
    const auto outcome = result_of(fetch_piece(fixture.hub.client, fixture.order(false)));
    CHECK(outcome.range_ignored);
    CHECK(fixture.piece.written == 0);
}
