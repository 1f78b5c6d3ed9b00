#include "protocol/error_names.hpp"

#include <doctest/doctest.h>

using wharf::ErrorKind;
using wharf::protocol::error_kind;
using wharf::protocol::error_name;
using wharf::protocol::exit_code;
using wharf::protocol::ExitCode;

TEST_CASE("each kind has a typed error, and its way back") {
    for (int i = 0; i <= static_cast<int>(ErrorKind::internal); ++i) {
        const auto kind = static_cast<ErrorKind>(i);
        CAPTURE(wharf::name(kind));
        const auto back = error_kind(error_name(kind));
        REQUIRE(back);
        // A server that cannot answer and a network that is down are one error on the socket.
        CHECK(*back == (kind == ErrorKind::unavailable ? ErrorKind::network : kind));
        CHECK(exit_code(error_name(kind)) == exit_code(kind));
    }
    CHECK_FALSE(error_kind("org.example.Other"));
    CHECK_FALSE(error_kind(""));
}

TEST_CASE("exit codes of typed errors") {
    const struct {
        const char* name;
        int code;
    } rows[] = {
        {"org.wharf.InvalidRequest", 2}, {"org.varlink.service.InvalidParameter", 2},
        {"org.wharf.RepoNotFound", 3},   {"org.wharf.RevisionNotFound", 3},
        {"org.wharf.FileNotFound", 3},   {"org.wharf.Unauthorized", 4},
        {"org.wharf.Gated", 4},          {"org.wharf.Forbidden", 4},
        {"org.wharf.Offline", 5},        {"org.wharf.RateLimited", 5},
        {"org.wharf.NoSpace", 6},        {"org.wharf.QuotaExceeded", 6},
        {"org.wharf.Integrity", 7},      {"org.wharf.Storage", 1},
        {"org.wharf.BadAnswer", 1},      {"org.wharf.Cancelled", 1},
        {"org.wharf.Internal", 1},       {"org.varlink.service.MethodNotFound", 1},
        {"org.wharf.Conflict", 1},       {"com.example.Unknown", 1},
    };
    for (const auto& row : rows) {
        CAPTURE(row.name);
        CHECK(static_cast<int>(exit_code(row.name)) == row.code);
    }
}
