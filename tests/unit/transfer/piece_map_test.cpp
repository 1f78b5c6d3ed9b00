#include "daemon/transfer/piece_map.hpp"

#include <doctest/doctest.h>

using wharf::transfer::Piece;
using wharf::transfer::PieceMap;

TEST_CASE("a blob is cut into pieces that cover it") {
    PieceMap map{10, 4};
    CHECK(map.count() == 3);
    Piece* first = map.take();
    Piece* second = map.take();
    Piece* third = map.take();
    REQUIRE(third != nullptr);
    CHECK(map.take() == nullptr);
    CHECK(first->begin == 0);
    CHECK(second->begin == 4);
    CHECK(third->begin == 8);
    CHECK(third->end == 10);
}

TEST_CASE("the frontier passes only what is there from the start on") {
    PieceMap map{10, 4};
    Piece* first = map.take();
    Piece* second = map.take();
    second->written = 4;
    CHECK(map.frontier() == 0);
    CHECK(map.present() == 4);
    first->written = 3;
    CHECK(map.frontier() == 3);
    first->written = 4;
    CHECK(map.frontier() == 8);
    CHECK_FALSE(map.complete());
    map.take()->written = 2;
    CHECK(map.complete());
    CHECK(map.present() == 10);
    CHECK(map.take() == nullptr);
}

TEST_CASE("a piece given back is taken again where it stopped, a complete one is not") {
    PieceMap map{8, 4};
    Piece* first = map.take();
    Piece* second = map.take();
    first->written = 3;
    second->written = 4;
    map.give_back(*first);
    map.give_back(*second);
    Piece* again = map.take();
    CHECK(again == first);
    CHECK(again->position() == 3);
    CHECK(map.take() == nullptr);
}

TEST_CASE("an empty blob has no pieces and is complete") {
    PieceMap map{0, 4};
    CHECK(map.count() == 0);
    CHECK(map.take() == nullptr);
    CHECK(map.complete());
}
