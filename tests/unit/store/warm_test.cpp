#include "tests/unit/store/fixture.hpp"

namespace fs = std::filesystem;
using namespace wharf::test;

namespace {

/// A store with one small file in place, asked for often enough to be remembered.
struct Warm {
    StoreFixture f;
    wharf::hub::TreeEntry file = entry("sub/config.json", "{}");

    Warm() {
        f.publish(model, file, "{}");
        f.bring_in(model, commit_a, {file});
    }
    bool still() { return f.store().still_in_place(model, commit_a, file); }
    fs::path pointer() { return f.cache() / "models--org--name/snapshots" / commit_a / file.path; }
    fs::path blob() { return f.cache() / "models--org--name/blobs" / file.etag(); }
};

} // namespace

TEST_CASE("a file is remembered as in place once that is durable") {
    Warm warm;
    CHECK_FALSE(warm.still());
    warm.f.finish(model, commit_a, "main");
    warm.f.bring_in(model, commit_a, {warm.file});
    CHECK(warm.still());
    auto other_content = warm.file;
    other_content.blob_id = std::string(40, '1');
    CHECK_FALSE(warm.f.store().still_in_place(model, commit_a, other_content));
    CHECK_FALSE(warm.f.store().still_in_place(model, commit_b, warm.file));
}

TEST_CASE("what happened to the file or its pointer is seen") {
    Warm warm;
    warm.f.finish(model, commit_a, "main");
    warm.f.bring_in(model, commit_a, {warm.file});
    REQUIRE(warm.still());
    SUBCASE("the pointer is gone") {
        fs::remove(warm.pointer());
    }
    SUBCASE("the blob is gone") {
        fs::remove(warm.blob());
    }
    SUBCASE("the repo is gone") {
        fs::remove_all(warm.f.cache() / "models--org--name");
    }
    SUBCASE("the pointer leads elsewhere") {
        write(warm.f.cache() / "models--org--name/blobs" / std::string(40, '2'), "[]");
        fs::remove(warm.pointer());
        fs::create_symlink("../../../blobs/" + std::string(40, '2'), warm.pointer());
    }
    SUBCASE("the blob was replaced") {
        fs::remove(warm.blob());
        write(warm.blob(), "[]");
    }
    SUBCASE("the blob was written to") {
        fs::permissions(warm.blob(), fs::perms::owner_all);
        write(warm.blob(), "[]");
    }
    CHECK_FALSE(warm.still());
}
