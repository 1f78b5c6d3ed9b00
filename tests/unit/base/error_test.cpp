#include "base/error.hpp"

#include <doctest/doctest.h>

#include <cerrno>

using wharf::Error;
using wharf::ErrorKind;

TEST_CASE("context goes in front and keeps the rest") {
    Error error{ErrorKind::rate_limited, "too many requests", "wait"};
    error.set_retry_after(std::chrono::seconds{7});
    CHECK_FALSE(error.with_context("x").is_lasting());
    error.set_lasting();
    const Error outer = error.with_context("listing a/b");
    CHECK(outer.message() == "listing a/b: too many requests");
    CHECK(outer.kind() == ErrorKind::rate_limited);
    CHECK(outer.hint() == "wait");
    CHECK(outer.retry_after() == std::chrono::seconds{7});
    CHECK(outer.is_lasting());
}

TEST_CASE("a full disk is told apart from a broken one") {
    CHECK(wharf::system_error("writing x", ENOSPC).kind() == ErrorKind::no_space);
    CHECK(wharf::system_error("writing x", EDQUOT).kind() == ErrorKind::no_space);
    CHECK(wharf::system_error("writing x", EIO).kind() == ErrorKind::storage);
}

TEST_CASE("value() of a failed result throws the error itself") {
    const wharf::Result<int> failed = Error{ErrorKind::invalid_request, "no"};
    CHECK_THROWS_AS(static_cast<void>(failed.value()), Error);
}

TEST_CASE("kinds have names that lead back to them") {
    CHECK(wharf::error_kind_from("invalid_request") == ErrorKind::invalid_request);
    CHECK(wharf::error_kind_from(name(ErrorKind::internal)) == ErrorKind::internal);
    CHECK(wharf::error_kind_from("conflict") == ErrorKind::conflict);
    CHECK_FALSE(wharf::error_kind_from("nonsense"));
}
