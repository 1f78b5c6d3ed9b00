#include "daemon/hub/commit_lines.hpp"
#include "support.hpp"

#include <doctest/doctest.h>

using namespace wharf::hub;
using namespace wharf::hub::test;
using wharf::Awaitable;
using wharf::Error;
using wharf::ErrorKind;

namespace {

/// Contents that give at most so many bytes at a time.
struct Source {
    std::string text;
    std::size_t step = 7;
    std::size_t largest = 0; ///< that was asked for

    Awaitable<std::size_t> read(std::uint64_t offset, std::span<std::byte> buffer) {
        largest = std::max(largest, buffer.size());
        const std::size_t count =
            std::min({step, buffer.size(), text.size() - static_cast<std::size_t>(offset)});
        std::memcpy(buffer.data(), text.data() + offset, count);
        co_return count;
    }
};

CommitLine file(const std::string& path, const std::shared_ptr<Source>& source) {
    return {CommitLine::Kind::regular_file,
            path,
            source->text.size(),
            {},
            [source](std::uint64_t offset, std::span<std::byte> buffer) {
                return source->read(offset, buffer);
            }};
}

CommitLine file(const std::string& path, const std::string& text) {
    return file(path, std::make_shared<Source>(Source{text}));
}

Awaitable<std::string> read_all(std::shared_ptr<wharf::net::RequestBody> body, std::size_t step) {
    std::string out;
    std::vector<std::byte> buffer(step);
    while (out.size() < body->size()) {
        const std::size_t count = co_await body->read_some(buffer);
        if (count == 0) {
            break;
        }
        out.append(reinterpret_cast<const char*>(buffer.data()), count);
    }
    co_return out;
}

std::string all_bytes() {
    std::string text;
    for (int i = 0; i < 3 * 256; ++i) {
        text += static_cast<char>(i % 256);
    }
    return text;
}

std::vector<CommitLine> golden_lines() {
    std::vector<CommitLine> lines;
    lines.push_back(file("a.txt", "hello\n"));
    lines.push_back(file("b/empty", ""));
    lines.push_back(file("b/\xc3\xbc \"q\"\\\n\x01.bin", all_bytes()));
    lines.push_back(file("c", "xy"));
    lines.push_back(file("d", "xyz"));
    lines.push_back({CommitLine::Kind::lfs_file, "w.bin", 5'000'000'000, std::string(64, 'a'), {}});
    lines.push_back({CommitLine::Kind::deleted_file, "old.txt", 0, {}, {}});
    lines.push_back({CommitLine::Kind::deleted_folder, "old/dir", 0, {}, {}});
    return lines;
}

const CommitHeader golden_header{"Add \"things\"\n\xc3\xa9", "two\tlines", commit};

} // namespace

TEST_CASE("a commit is worded as Python's json and base64 word it, however it is read") {
    const std::string golden = vector_text("commit.ndjson");
    for (const std::size_t step : {1U, 2U, 3U, 64U, 1U << 20}) {
        CAPTURE(step);
        const auto body = make_commit_body(golden_header, golden_lines());
        CHECK(body->size() == golden.size());
        CHECK(result_of(read_all(body, step)) == golden);
    }
}

TEST_CASE("a commit can be begun anew at any place") {
    const std::string golden = vector_text("commit.ndjson");
    const auto body = make_commit_body(golden_header, golden_lines());
    for (std::size_t stop = 1; stop < golden.size(); stop += 97) {
        std::vector<std::byte> buffer(stop);
        const auto count = result_of(body->read_some(buffer));
        CHECK(count > 0);
        result_of(body->read_some(buffer));
        body->rewind();
        CHECK(result_of(read_all(body, 50)) == golden);
        body->rewind();
    }
}

TEST_CASE("without a parent none is named, and there may be no lines") {
    const auto body = make_commit_body({"s", "", ""}, {});
    CHECK(result_of(read_all(body, 9)) ==
          "{\"key\":\"header\",\"value\":{\"summary\":\"s\",\"description\":\"\"}}\n");
    std::vector<std::byte> buffer(8);
    CHECK(result_of(body->read_some(buffer)) == 0);
}

TEST_CASE("of a large content only a piece is in memory") {
    const auto source = std::make_shared<Source>(Source{std::string(1'000'001, 'x'), 5000});
    const auto body = make_commit_body({"s", "", ""}, {file("x", source)});
    CHECK(result_of(read_all(body, 100'000)).size() == body->size());
    CHECK(source->largest <= 64U << 10);
}

TEST_CASE("a content that has become shorter ends the commit") {
    const auto source = std::make_shared<Source>(Source{"twelve bytes"});
    const auto body = make_commit_body({"s", "", ""}, {file("dir/x", source)});
    source->text = "ten bytes!";
    const Error error = error_of(read_all(body, 4096));
    CHECK(error.kind() == ErrorKind::integrity);
    CHECK(contains(error.message(), "'dir/x'"));
}
