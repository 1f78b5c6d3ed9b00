#include "daemon/jobs/upload_rows.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace wharf::jobs;
using wharf::access::Sealer;
using wharf::hub::RepoId;
using wharf::hub::RepoType;
using wharf::hub::UploadAction;
using wharf::hub::UploadMode;
using wharf::test::TempDir;
using Kind = PushChange::Kind;

namespace {

const Sealer sealer{Sealer::Key{1}};

PushChange file(std::int64_t number, std::string path, std::uint64_t size) {
    PushChange change;
    change.number = number;
    change.path = std::move(path);
    change.staged = "staged";
    change.size = size;
    return change;
}

UploadAction in_parts() {
    return {.href = "https://storage.test/complete?signature=secret",
            .chunk_size = 5,
            .parts = {"https://storage.test/1?signature=secret",
                      "https://storage.test/2?signature=secret"},
            .verify = "https://hub.test/verify"};
}

void check_same(const PushChange& read, const PushChange& written) {
    CHECK(read.number == written.number);
    CHECK(read.kind == written.kind);
    CHECK(read.path == written.path);
    CHECK(read.below == written.below);
    CHECK(read.staged == written.staged);
    CHECK(read.size == written.size);
    CHECK(read.hashes == written.hashes);
    CHECK(read.from_path == written.from_path);
    CHECK(read.from_repo == written.from_repo);
    CHECK(read.from_revision == written.from_revision);
    CHECK(read.mode == written.mode);
    CHECK(read.ignored == written.ignored);
    CHECK(read.remote == written.remote);
    CHECK(read.oid == written.oid);
    CHECK(read.sent == written.sent);
    CHECK(read.commit == written.commit);
    CHECK(read.done == written.done);
}

} // namespace

TEST_CASE("what a push changes is read as it was written, also what was found out later") {
    const TempDir dir;
    PushChange added = file(0, "a", 7);
    added.hashes = std::string(64, 'e');
    PushChange copied;
    copied.number = 1;
    copied.kind = Kind::copy;
    copied.path = "b";
    copied.from_path = "c";
    copied.from_repo = RepoId{RepoType::dataset, "org/data"};
    copied.from_revision = "v1";
    PushChange deleted;
    deleted.number = 2;
    deleted.kind = Kind::delete_pattern;
    deleted.path = "*.bin";
    deleted.below = "f";
    const std::vector<PushChange> changes{added, copied, deleted};
    std::uint64_t upload = 0;
    {
        const auto rows = open_upload_rows(dir / "uploads.db", sealer);
        upload = rows->create(1000);
        rows->add(upload, changes);
        rows->sync();
    }
    const auto rows = open_upload_rows(dir / "uploads.db", sealer);
    PushState state = rows->load(upload);
    REQUIRE(state.changes.size() == 3);
    for (std::size_t i = 0; i < changes.size(); ++i) {
        check_same(state.changes[i], changes[i]);
    }
    CHECK_FALSE(state.pending);
    CHECK(state.commits == 0);
    CHECK_FALSE(state.pull_request);
    PushChange brought = copied; // a copy that became content
    brought.kind = Kind::add;
    brought.staged = "other";
    brought.size = 9;
    brought.hashes = std::string(40, 'f');
    brought.mode = UploadMode::lfs;
    brought.ignored = true;
    brought.remote = "remote";
    brought.oid = "oid";
    brought.sent = true;
    rows->update(upload, {&brought, 1});
    state = rows->load(upload);
    check_same(state.changes[1], brought);
    check_same(state.changes[0], added);
}

TEST_CASE("a commit is pending until it is known what became of it") {
    const TempDir dir;
    const auto rows = open_upload_rows(dir / "uploads.db", sealer);
    const auto upload = rows->create(1000);
    const std::vector<PushChange> changes{file(0, "a", 1), file(1, "b", 1), file(2, "c", 1)};
    rows->add(upload, changes);
    const SentCommit first{.number = 1, .parent = std::string(40, 'a'), .title = "title"};
    rows->set_pending(upload, first, changes);
    PushState state = rows->load(upload);
    REQUIRE(state.pending);
    CHECK(state.pending->number == 1);
    CHECK(state.pending->parent == first.parent);
    CHECK(state.pending->title == "title");
    // It did not arrive, and the next try has less in it: what is left out belongs to it no more.
    rows->clear_pending(upload);
    CHECK_FALSE(rows->load(upload).pending);
    rows->set_pending(upload, first, std::span{changes}.first(2));
    rows->commit_done(upload, 1);
    state = rows->load(upload);
    CHECK_FALSE(state.pending);
    CHECK(state.commits == 1);
    CHECK(state.changes[0].done);
    CHECK(state.changes[1].done);
    CHECK_FALSE(state.changes[2].done);
    CHECK(state.changes[2].commit == 0);
    rows->no_commit_needed(upload, std::span{changes}.last(1));
    state = rows->load(upload);
    CHECK(state.changes[2].done);
    CHECK(state.commits == 1);
}

TEST_CASE("a pull request that is open is pending no more") {
    const TempDir dir;
    const auto rows = open_upload_rows(dir / "uploads.db", sealer);
    const auto upload = rows->create(1000);
    rows->set_pending(upload, {.number = 0, .parent = "p", .title = "t"}, {});
    CHECK(rows->load(upload).pending);
    rows->set_pull_request(upload, 7);
    CHECK_FALSE(rows->load(upload).pending);
    CHECK(rows->load(upload).pull_request == 7);
}

TEST_CASE("parts are kept sealed, and forgotten with the URLs they were sent to") {
    const TempDir dir;
    const auto rows = open_upload_rows(dir / "uploads.db", sealer);
    const auto upload = rows->create(1000);
    CHECK_FALSE(rows->parts_of(upload, "oid"));
    rows->save_action(upload, "oid", in_parts(), true);
    rows->save_part(upload, "oid", 1, "etag of 1");
    rows->save_part(upload, "oid", 0, "etag of 0");
    rows->sync();
    auto sent = rows->parts_of(upload, "oid");
    REQUIRE(sent);
    CHECK(sent->action.href == in_parts().href);
    CHECK(sent->action.verify == in_parts().verify);
    CHECK(sent->action.chunk_size == 5);
    CHECK(sent->action.parts == in_parts().parts);
    REQUIRE(sent->etags.size() == 2);
    CHECK(sent->etags[0].second == "etag of 0");
    CHECK(sent->etags[1].second == "etag of 1");
    for (const auto& entry : std::filesystem::directory_iterator{dir.path()}) {
        std::ifstream stream{entry.path(), std::ios::binary};
        const std::string content{std::istreambuf_iterator<char>{stream}, {}};
        CHECK(content.find("storage.test") == std::string::npos);
        CHECK(content.find("secret") == std::string::npos);
    }
    rows->save_action(upload, "oid", in_parts(), true); // new URLs of the same upload of parts
    CHECK(rows->parts_of(upload, "oid")->etags.size() == 2);
    rows->save_action(upload, "oid", in_parts(), false);
    CHECK(rows->parts_of(upload, "oid")->etags.empty());
    UploadAction whole = in_parts();
    whole.parts.clear();
    whole.chunk_size = 0;
    rows->save_action(upload, "whole", whole, false);
    CHECK(rows->parts_of(upload, "whole")->action.href == whole.href);
}

TEST_CASE("with another key of the machine, parts are sent again") {
    const TempDir dir;
    std::uint64_t upload = 0;
    {
        const auto rows = open_upload_rows(dir / "uploads.db", sealer);
        upload = rows->create(1000);
        rows->save_action(upload, "oid", in_parts(), false);
    }
    const Sealer other{Sealer::Key{2}};
    CHECK_FALSE(open_upload_rows(dir / "uploads.db", other)->parts_of(upload, "oid"));
}

TEST_CASE("an upload that is removed is gone, and what comes late with it") {
    const TempDir dir;
    const auto rows = open_upload_rows(dir / "uploads.db", sealer);
    const auto first = rows->create(1000);
    const auto second = rows->create(1001);
    CHECK(second > first);
    const std::vector<PushChange> changes{file(0, "a", 3), file(1, "b", 4)};
    PushChange attached = file(2, "c", 100);
    attached.staged.clear();
    rows->add(first, changes);
    rows->add(first, {&attached, 1});
    auto known = rows->all();
    REQUIRE(known.size() == 2);
    CHECK(known[0].id == first);
    CHECK(known[0].uid == 1000);
    CHECK(known[0].staged_bytes == 7); // not what stays with its caller
    CHECK(known[1].staged_bytes == 0);
    rows->save_action(first, "oid", in_parts(), false);
    rows->remove(first);
    rows->save_action(first, "oid", in_parts(), false);
    rows->save_part(first, "oid", 0, "etag");
    rows->set_pending(first, {.number = 1, .parent = "p", .title = "t"}, changes);
    rows->update(first, changes);
    CHECK_FALSE(rows->parts_of(first, "oid"));
    CHECK_FALSE(rows->load(first).pending);
    CHECK(rows->load(first).changes.empty());
    known = rows->all();
    REQUIRE(known.size() == 1);
    CHECK(known[0].id == second);
    rows->remove(second);
    CHECK(rows->create(1000) > second); // never given twice
}
