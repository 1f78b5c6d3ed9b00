#include "daemon/access/vault.hpp"
#include "daemon/sqlite/database.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <sys/stat.h>

using namespace std::chrono_literals;
using wharf::Awaitable;
using wharf::ErrorKind;
using wharf::access::Sealer;
using wharf::access::StoredToken;
using wharf::access::Vault;
using wharf::hub::Token;
using wharf::test::TempDir;

namespace {

constexpr const char* hub_url = "https://hub.example";

Sealer::Key key_of(unsigned char first) {
    Sealer::Key key{};
    key[0] = first;
    return key;
}

StoredToken about(uid_t uid, std::string user) {
    return {.uid = uid,
            .user = std::move(user),
            .name = "laptop",
            .role = "read",
            .stored = std::chrono::system_clock::time_point{1'700'000'000s}};
}

/// A folder with a vault that can be closed and opened again.
struct Box {
    void run(Awaitable<> body) { wharf::test::run(std::move(body), loop); }
    std::filesystem::path file() const { return folder / "tokens.db"; }
    /// Everything in the folder, as bytes.
    std::string bytes() const {
        std::string all;
        for (const auto& entry : std::filesystem::directory_iterator{folder.path()}) {
            std::ifstream in{entry.path(), std::ios::binary};
            all.append(std::istreambuf_iterator<char>{in}, {});
        }
        return all;
    }

    boost::asio::io_context loop; ///< outlives each vault, as the pool in it demands
    TempDir folder;
    Sealer sealer{key_of(1)};
};

Awaitable<> store_two(Vault& vault) {
    co_await vault.store(about(1000, "alice"), Token{"hf_alice_secret"});
    co_await vault.store(about(1001, "bob"), Token{"hf_bob_secret"});
}

} // namespace

TEST_CASE("each account has its own token, also after a restart") {
    Box box;
    {
        Vault vault{box.file(), hub_url, box.sealer};
        CHECK(vault.token_of(1000).empty());
        CHECK(vault.usable_token_of(1000).value().empty());
        box.run(store_two(vault));
        CHECK(vault.token_of(1000) == Token{"hf_alice_secret"});
    }
    const Vault vault{box.file(), hub_url, box.sealer};
    CHECK(vault.token_of(1000) == Token{"hf_alice_secret"});
    CHECK(vault.usable_token_of(1001).value() == Token{"hf_bob_secret"});
    CHECK(vault.token_of(1002).empty());
    const auto all = vault.list();
    REQUIRE(all.size() == 2);
    CHECK(all[0].uid == 1000);
    CHECK(all[0].user == "alice");
    CHECK(all[0].name == "laptop");
    CHECK(all[0].role == "read");
    CHECK(all[0].stored == std::chrono::system_clock::time_point{1'700'000'000s});
    CHECK(all[0].fault.empty());
}

TEST_CASE("a later token takes the place of an earlier one") {
    Box box;
    Vault vault{box.file(), hub_url, box.sealer};
    box.run([](Vault& v) -> Awaitable<> {
        co_await v.store(about(1000, "alice"), Token{"hf_one"});
        co_await v.store(about(1000, "alice2"), Token{"hf_two"});
    }(vault));
    CHECK(vault.token_of(1000) == Token{"hf_two"});
    CHECK(vault.find(1000)->user == "alice2");
    CHECK(vault.list().size() == 1);
}

TEST_CASE("nothing on the disk is a token, and only the daemon's account reads it") {
    Box box;
    Vault vault{box.file(), hub_url, box.sealer};
    box.run(store_two(vault));
    CHECK(box.bytes().find("alice") != std::string::npos);
    CHECK(box.bytes().find("hf_alice_secret") == std::string::npos);
    CHECK(box.bytes().find("alice_sec") == std::string::npos);
    struct stat facts{};
    REQUIRE(::stat(box.file().c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0600);
}

TEST_CASE("what is forgotten is gone, from the disk too") {
    Box box;
    {
        Vault vault{box.file(), hub_url, box.sealer};
        box.run([](Vault& v) -> Awaitable<> {
            co_await store_two(v);
            const bool was_there = co_await v.forget(1000);
            CHECK(was_there);
            const bool was_there_again = co_await v.forget(1000);
            CHECK_FALSE(was_there_again);
        }(vault));
        CHECK(vault.token_of(1000).empty());
        CHECK_FALSE(vault.find(1000));
        CHECK(box.bytes().find("alice") == std::string::npos);
    }
    const Vault vault{box.file(), hub_url, box.sealer};
    CHECK(vault.list().size() == 1);
    CHECK(vault.token_of(1001) == Token{"hf_bob_secret"});
}

TEST_CASE("a token that cannot be opened stays, and its owner is told") {
    Box box;
    {
        Vault vault{box.file(), hub_url, box.sealer};
        box.run(store_two(vault));
    }
    {
        const Sealer other{key_of(2)};
        Vault vault{box.file(), hub_url, other};
        CHECK(vault.token_of(1000).empty());
        REQUIRE(vault.usable_token_of(1000).has_error());
        const auto error = vault.usable_token_of(1000).error();
        CHECK(error.kind() == ErrorKind::unauthorized);
        CHECK(error.hint().find("wharf auth login") != std::string::npos);
        CHECK(vault.find(1000)->fault.find("key") != std::string::npos);
        CHECK(vault.usable_token_of(1002).value().empty()); // who stored nothing has no trouble
        box.run([](Vault& v) -> Awaitable<> {
            co_await v.store(about(1001, "bob"), Token{"hf_bob_again"});
        }(vault));
        CHECK(vault.token_of(1001) == Token{"hf_bob_again"});
    }
    const Vault vault{box.file(), hub_url, box.sealer}; // the old key is back
    CHECK(vault.token_of(1000) == Token{"hf_alice_secret"});
    CHECK(vault.token_of(1001).empty());
}

TEST_CASE("a token is not sent to another Hub than it was stored for") {
    Box box;
    {
        Vault vault{box.file(), hub_url, box.sealer};
        box.run(store_two(vault));
    }
    {
        const Vault vault{box.file(), "https://evil.example", box.sealer};
        CHECK(vault.token_of(1000).empty());
        CHECK(vault.usable_token_of(1000).error().message().find("another Hub") !=
              std::string::npos);
    }
    CHECK(Vault{box.file(), hub_url, box.sealer}.token_of(1000) == Token{"hf_alice_secret"});
}

TEST_CASE("a row that was copied to another account opens nothing") {
    Box box;
    {
        Vault vault{box.file(), hub_url, box.sealer};
        box.run(store_two(vault));
    }
    {
        wharf::sqlite::Database database{box.file()};
        database.execute("UPDATE token SET sealed = (SELECT sealed FROM token WHERE uid = 1000) "
                         "WHERE uid = 1001");
    }
    const Vault vault{box.file(), hub_url, box.sealer};
    CHECK(vault.token_of(1000) == Token{"hf_alice_secret"});
    CHECK(vault.token_of(1001).empty());
    CHECK(vault.usable_token_of(1001).has_error());
}

TEST_CASE("a damaged file is set aside") {
    Box box;
    std::ofstream{box.file()} << std::string(8192, 'x');
    const Vault vault{box.file(), hub_url, box.sealer};
    CHECK(vault.list().empty());
    CHECK(std::distance(std::filesystem::directory_iterator{box.folder.path()}, {}) > 1);
}
