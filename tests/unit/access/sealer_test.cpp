#include "daemon/access/sealer.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

using wharf::Error;
using wharf::ErrorKind;
using wharf::access::box_key;
using wharf::access::Sealer;
using wharf::test::TempDir;

namespace {

Sealer::Key key_of(unsigned char first) {
    Sealer::Key key{};
    key[0] = first;
    return key;
}

std::string content(const std::filesystem::path& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

void write(const std::filesystem::path& path, std::string_view text, mode_t mode = 0600) {
    std::ofstream{path, std::ios::binary} << text;
    ::chmod(path.c_str(), mode);
}

ErrorKind kind_thrown_for(const std::filesystem::path& folder) {
    try {
        static_cast<void>(box_key(folder, std::nullopt));
    } catch (const Error& error) {
        return error.kind();
    }
    return ErrorKind::cancelled;
}

} // namespace

TEST_CASE("what was sealed opens with the same key for the same purpose only") {
    const Sealer sealer{key_of(1)};
    const std::string sealed = sealer.seal("hf_secret", "7 1000");
    CHECK(sealer.open(sealed, "7 1000").value().view() == "hf_secret");
    CHECK(sealer.open(sealed, "8 1000").has_error());
    CHECK(sealer.open(sealed, "7 1001").has_error());
    CHECK(Sealer{key_of(2)}.open(sealed, "7 1000").has_error());
    CHECK(sealer.open(sealer.seal("", "x"), "x").value().empty());
}

TEST_CASE("a sealed text shows nothing and never repeats") {
    const Sealer sealer{key_of(1)};
    const std::string one = sealer.seal("hf_secret", "7");
    CHECK(one.find("secret") == std::string::npos);
    CHECK(one.size() == 1 + 12 + 9 + 16);
    CHECK(one != sealer.seal("hf_secret", "7"));
}

TEST_CASE("a sealed text that was changed anywhere, or cut, does not open") {
    const Sealer sealer{key_of(1)};
    const std::string sealed = sealer.seal("hf_secret", "7");
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        CAPTURE(i);
        std::string changed = sealed;
        changed[i] = static_cast<char>(changed[i] ^ 1);
        CHECK(sealer.open(changed, "7").has_error());
        CHECK(sealer.open(std::string_view{sealed}.substr(0, i), "7").has_error());
    }
}

TEST_CASE("the error about a token that cannot be opened does not show it") {
    const auto opened = Sealer{key_of(1)}.open("1234567890123456789012345678901234567890", "7");
    REQUIRE(opened.has_error());
    CHECK(opened.error().message().find("1234") == std::string::npos);
}

TEST_CASE("the first start makes a private key, and later ones find it") {
    const TempDir dir;
    const auto key = box_key(dir.path(), std::nullopt);
    struct stat facts{};
    REQUIRE(::stat((dir / "key").c_str(), &facts) == 0);
    CHECK((facts.st_mode & 07777) == 0600);
    CHECK(content(dir / "key").size() == 32);
    CHECK(box_key(dir.path(), std::nullopt) == key);
    const TempDir other;
    CHECK(box_key(other.path(), std::nullopt) != key);
    // What a crash left of making a key is no key.
    const TempDir crashed;
    write(crashed / "key.new", "half");
    static_cast<void>(box_key(crashed.path(), std::nullopt));
    CHECK_FALSE(std::filesystem::exists(crashed / "key.new"));
}

TEST_CASE("a key that others may know, or that is none, is refused") {
    const TempDir dir;
    write(dir / "key", std::string(32, 'k'), 0640);
    CHECK(kind_thrown_for(dir.path()) == ErrorKind::forbidden);
    ::chmod((dir / "key").c_str(), 0600);
    CHECK(kind_thrown_for(dir.path()) == ErrorKind::cancelled); // fine now
    write(dir / "key", "short");
    CHECK(kind_thrown_for(dir.path()) == ErrorKind::storage);
    write(dir / "key", std::string(33, 'k'));
    CHECK(kind_thrown_for(dir.path()) == ErrorKind::storage);
    if (::geteuid() == 0) {
        write(dir / "key", std::string(32, 'k'));
        REQUIRE(::chown((dir / "key").c_str(), 65534, 65534) == 0);
        CHECK(kind_thrown_for(dir.path()) == ErrorKind::forbidden);
    }
    std::filesystem::remove(dir / "key");
    std::filesystem::create_symlink("elsewhere", dir / "key");
    CHECK(kind_thrown_for(dir.path()) == ErrorKind::storage);
}

TEST_CASE("a systemd credential goes before the file") {
    const TempDir state;
    const TempDir credentials;
    const auto file_key = box_key(state.path(), credentials.path()); // no credential: the file
    CHECK(std::filesystem::exists(state / "key"));
    write(credentials / "wharf-key", std::string(32, 'a'), 0400);
    const auto credential_key = box_key(state.path(), credentials.path());
    CHECK(credential_key != file_key);
    CHECK(box_key(state.path(), credentials.path()) == credential_key);
    write(credentials / "wharf-key", std::string(31, 'a'), 0600);
    CHECK_THROWS_AS(static_cast<void>(box_key(state.path(), credentials.path())), Error);
}
