#include "daemon/transfer/piece_map.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using wharf::transfer::PieceMap;
using wharf::transfer::Span;

namespace {

const Span::Clock::time_point start{};

/// What a fetching thread does with the next piece of its span.
void bring_next(PieceMap& map, Span& span) {
    const auto piece = span.begin_next();
    REQUIRE(piece);
    map.add_written(*piece, map.end_of(*piece) - map.position_of(*piece));
}

} // namespace

TEST_CASE("a blob is cut into pieces that cover it") {
    PieceMap map{10, 4};
    CHECK(map.count() == 3);
    CHECK(map.begin_of(2) == 8);
    CHECK(map.end_of(2) == 10);
    CHECK(map.piece_at(7) == 1);
    CHECK(map.piece_at(8) == 2);
}

TEST_CASE("a span has as many pieces as were asked for, at least one, and no more than there are") {
    PieceMap map{100, 10};
    const auto small = map.take(1, start);
    CHECK(small->first() == 0);
    CHECK(small->end() == 1);
    const auto some = map.take(39, start);
    CHECK(some->first() == 1);
    CHECK(some->end() == 4);
    const auto rest = map.take(1000, start);
    CHECK(rest->first() == 4);
    CHECK(rest->end() == 10);
}

TEST_CASE("the pieces of a span come one after the other") {
    PieceMap map{30, 10};
    const auto span = map.take(20, start);
    CHECK(span->begin_next() == 0);
    CHECK(span->begin_next() == 1);
    CHECK_FALSE(span->begin_next());
}

TEST_CASE("the frontier passes only what is there from the start on") {
    PieceMap map{10, 4};
    const auto first = map.take(4, start);
    const auto second = map.take(4, start);
    map.add_written(1, 4);
    CHECK(map.frontier() == 0);
    CHECK(map.present() == 4);
    map.add_written(0, 3);
    CHECK(map.frontier() == 3);
    map.add_written(0, 1);
    CHECK(map.frontier() == 8);
    CHECK_FALSE(map.is_complete());
    map.add_written(2, 2);
    CHECK(map.is_complete());
    CHECK(map.frontier() == 10);
}

TEST_CASE("what a span did not bring is taken again, where it stopped") {
    PieceMap map{40, 10};
    const auto span = map.take(30, start);
    bring_next(map, *span);
    CHECK(span->begin_next() == 1);
    map.add_written(1, 3);
    map.give_back(span);
    const auto again = map.take(100, start);
    CHECK(again->first() == 1);
    CHECK(again->end() == 4);
    CHECK(map.position_of(again->first()) == 13);
}

TEST_CASE("a piece that was begun is the first of its span: a request has one range") {
    PieceMap map{30, 10};
    const auto all = map.take(30, start);
    map.add_written(1, 5); // as if a span that began there had broken off
    map.give_back(all);
    CHECK(map.take(30, start)->end() == 1);
    const auto begun = map.take(30, start);
    CHECK(begun->first() == 1);
    CHECK(begun->end() == 3);
}

TEST_CASE("the end of a slow span is given to who has nothing to do") {
    PieceMap map{80, 10};
    const auto slow = map.take(80, start);
    bring_next(map, *slow); // one piece in ten seconds
    const auto helper = map.take(80, start + 10s);
    REQUIRE(helper);
    CHECK(slow->end() == 4);
    CHECK(helper->first() == 4);
    CHECK(helper->end() == 8);
    map.give_back(slow);
    const auto rest = map.take(80, start + 10s);
    CHECK(rest->first() == 1);
    CHECK(rest->end() == 4);
}

TEST_CASE("nothing is taken away from a span that will soon be at its end") {
    PieceMap map{40, 10};
    const auto quick = map.take(40, start);
    bring_next(map, *quick);
    CHECK_FALSE(map.take(40, start + 100ms)); // the other three need 300 ms
    CHECK(quick->end() == 4);
}

TEST_CASE("a piece that is being fetched is never given away") {
    PieceMap map{20, 10};
    const auto slow = map.take(20, start);
    CHECK(slow->begin_next() == 0);
    const auto helper = map.take(20, start + 1h);
    REQUIRE(helper);
    CHECK(helper->first() == 1);
    CHECK_FALSE(slow->begin_next());
    CHECK_FALSE(map.take(20, start + 2h)->begin_next() == 0);
}

TEST_CASE("a span that was not begun keeps its first piece") {
    PieceMap map{20, 10};
    const auto waiting = map.take(20, start);
    REQUIRE(map.take(20, start + 1h));
    CHECK_FALSE(map.take(20, start + 2h));
    CHECK(waiting->begin_next() == 0);
}

TEST_CASE("begun from the front and given away at the back, each piece goes to one") {
    for (int round = 0; round < 200; ++round) {
        PieceMap map{64, 1};
        const auto span = map.take(64, start);
        std::vector<int> times(64, 0);
        std::thread fetcher{[&] {
            while (const auto piece = span->begin_next()) {
                ++times[*piece];
            }
        }};
        const auto end = span->end();
        const auto split = span->split();
        fetcher.join();
        for (auto i = split.value_or(end); i < end; ++i) {
            ++times[i];
        }
        CHECK(times == std::vector<int>(64, 1));
    }
}

TEST_CASE("pieces of an earlier run are there but to be checked, and can be lost") {
    PieceMap map{30, 10};
    map.set_resumed(0);
    map.set_resumed(1);
    CHECK(map.present() == 20);
    CHECK(map.frontier() == 20);
    CHECK(map.is_resumed(1));
    map.set_checked(0);
    CHECK_FALSE(map.is_resumed(0));
    const auto last = map.take(100, start);
    CHECK(last->first() == 2);
    map.lose(1);
    CHECK(map.present() == 10);
    CHECK(map.frontier() == 10);
    CHECK_FALSE(map.is_resumed(1));
    const auto lost = map.take(100, start);
    CHECK(lost->first() == 1);
    CHECK(lost->end() == 2);
}

TEST_CASE("a piece's checksum goes on after its fetch broke off") {
    PieceMap map{20, 10};
    const auto bytes = std::as_bytes(std::span{"0123456789", 10});
    const auto first = map.take(10, start);
    map.checksum(0).update(bytes.first(4));
    map.add_written(0, 4);
    map.give_back(first);
    const auto second = map.take(10, start);
    map.checksum(0).update(bytes.subspan(4));
    wharf::PieceChecksum whole;
    whole.update(bytes);
    CHECK(map.checksum(0).value() == whole.value());
}

TEST_CASE("an empty blob has no pieces and is complete") {
    PieceMap map{0, 4};
    CHECK(map.count() == 0);
    CHECK_FALSE(map.take(1, start));
    CHECK(map.is_complete());
}
