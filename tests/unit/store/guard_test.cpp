#include "base/error.hpp"
#include "daemon/store/folders.hpp"
#include "daemon/store/staging.hpp"
#include "tests/unit/store/fixture.hpp"

#include <array>
#include <unistd.h>

// What the folders must be before anything is put into them.

namespace fs = std::filesystem;
using namespace wharf::test;
using wharf::Error;
using wharf::ErrorKind;
using wharf::store::Directory;

namespace {

/// The Error with which a store does not start.
Error refusal(StoreFixture& f) {
    try {
        f.store();
    } catch (const Error& error) {
        return error;
    }
    FAIL("started");
    return {};
}

bool is_root() {
    if (::geteuid() != 0) {
        MESSAGE("not run: only root can give folders to others");
    }
    return ::geteuid() == 0;
}

} // namespace

TEST_CASE("a cache or state folder that others can write to is refused") {
    StoreFixture f;
    f.store();
    f.close();
    for (const unsigned bits : {0775U, 0757U, 01777U}) {
        for (const auto& folder : {f.cache(), f.state()}) {
            CAPTURE(folder);
            const auto before = mode(folder);
            REQUIRE(::chmod(folder.c_str(), bits) == 0);
            const Error error = refusal(f);
            CHECK(error.kind() == ErrorKind::invalid_request);
            CHECK(error.message().find("other accounts can write to " + folder.native()) !=
                  std::string::npos);
            CHECK(error.hint().find("chmod go-w " + folder.native()) != std::string::npos);
            CHECK(mode(folder) == bits);
            REQUIRE(::chmod(folder.c_str(), before) == 0);
        }
    }
    f.store();
}

TEST_CASE("a cache or state folder of somebody else's is refused") {
    if (!is_root()) {
        return;
    }
    StoreFixture f;
    f.store();
    f.close();
    for (const auto& folder : {f.cache(), f.state()}) {
        REQUIRE(::chown(folder.c_str(), 40'001, 0) == 0);
        CHECK(refusal(f).message().find("belongs to another account (uid 40001)") !=
              std::string::npos);
        REQUIRE(::chown(folder.c_str(), 0, 0) == 0);
    }
}

TEST_CASE("a cache that is shared with other programs may be written to by others") {
    StoreFixture f{true};
    fs::create_directories(f.cache() / ".locks");
    REQUIRE(::chmod(f.cache().c_str(), 0777) == 0);
    REQUIRE(::chmod((f.cache() / ".locks").c_str(), 0777) == 0);
    const std::string etag(64, 'e');
    const auto lock = f.get(f.store().lock_blob(model, etag));
    CHECK(mode(f.cache()) == 0733); // still not to be listed
    CHECK(mode(f.cache() / ".locks") == 0733);
    CHECK(mode(f.cache() / ".locks/models--org--name") == 0733);
    CHECK(mode(f.cache() / ".locks/models--org--name" / (etag + ".lock")) == 0666);
}

TEST_CASE("lock folders tell no more than the cache") {
    StoreFixture f{true};
    const auto lock = f.get(f.store().lock_blob(model, std::string(64, 'e')));
    CHECK(mode(f.cache() / ".locks") == 0711);
    CHECK(mode(f.cache() / ".locks/models--org--name") == 0711);
}

TEST_CASE("who may enter may list, or nobody may") {
    struct Case {
        unsigned before, hidden, listable;
    };
    constexpr std::array<Case, 6> cases{{{0755, 0711, 0755},
                                         {0711, 0711, 0755},
                                         {0700, 0700, 0700},
                                         {0750, 0710, 0750},
                                         {02755, 02711, 02755},
                                         {0777, 0733, 0777}}};
    const TempDir dir;
    const Directory folder{dir.path()};
    for (const auto& given : cases) {
        CAPTURE(given.before);
        REQUIRE(::chmod(dir.path().c_str(), given.before) == 0);
        wharf::store::set_listing(folder, false);
        CHECK(mode(dir.path()) == given.hidden);
        wharf::store::set_listing(folder, true);
        CHECK((mode(dir.path()) & 0755) == (given.listable & 0755));
    }
}

TEST_CASE("the state is nobody else's business") {
    StoreFixture f;
    fs::create_directories(f.state());
    REQUIRE(::chmod(f.state().c_str(), 0755) == 0);
    f.store();
    CHECK(mode(f.state()) == 0700);
}

TEST_CASE("whatever the umask, nobody else can write to what is made") {
    for (const mode_t umask : {0U, 077U}) {
        CAPTURE(umask);
        const TempDir dir;
        const auto before = ::umask(umask);
        StoreFixture f{dir / "new/home"};
        const auto file = entry("a/b", "right");
        f.publish(model, file, "right");
        f.bring_in(model, commit_a, {file});
        f.finish(model, commit_a, "main");
        f.close();
        ::umask(before);
        for (const auto& item : fs::recursive_directory_iterator{dir.path()}) {
            CAPTURE(item.path());
            CHECK((item.is_symlink() || (mode(item.path()) & 0022) == 0));
        }
        CHECK(mode(f.cache()) == 0711);
        CHECK(mode(f.state()) == 0700);
        CHECK(mode(f.repo()) == 0700);
        CHECK(mode(f.repo() / "blobs") == 0755);
        CHECK(mode(f.repo() / "refs/main") == 0644);
    }
}

TEST_CASE("an adopted cache that was everybody's is ours from now on, but for shared ones") {
    for (const bool shared : {false, true}) {
        CAPTURE(shared);
        StoreFixture f{shared};
        const auto file = entry("sub/a", "right");
        f.publish(model, file, "right");
        f.bring_in(model, commit_a, {file});
        f.finish(model, commit_a, "main");
        f.close();
        for (const auto& item : fs::recursive_directory_iterator{f.repo()}) {
            if (!item.is_symlink()) { // chmod -R a+rwX
                const unsigned all = item.is_directory() ? 0777 : 0666;
                REQUIRE(::chmod(item.path().c_str(), all) == 0);
            }
        }
        f.reopen();
        bool any = false;
        for (const auto& item : fs::recursive_directory_iterator{f.repo()}) {
            any = any || (!item.is_symlink() && (mode(item.path()) & 0022) != 0);
        }
        CHECK(any == shared);
        CHECK(f.held(model, file)); // no content was touched
    }
}

TEST_CASE("unfinished files are not put into somebody else's folder") {
    if (!is_root()) {
        return;
    }
    StoreFixture f{true};
    fs::create_directories(f.staging());
    REQUIRE(::chown(f.staging().c_str(), 40'001, 0) == 0);
    CHECK(refusal(f).message().find("belongs to another account") != std::string::npos);
}
