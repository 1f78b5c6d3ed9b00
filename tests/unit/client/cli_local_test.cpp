#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "base/unique_fd.hpp"
#include "client/cli/file_copy.hpp"
#include "client/cli/folder_tree.hpp"
#include "client/cli/local_metadata.hpp"
#include "client/cli/local_names.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace wharf;
using namespace wharf::cli;

namespace fs = std::filesystem;

namespace {

/// A folder that goes away with the test.
class Folder {
  public:
    Folder() {
        std::string name = fs::temp_directory_path() / "wharf-cli-test-XXXXXX";
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
        fd_ = UniqueFd{adopt_fd, ::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { fs::remove_all(path_); }

    fs::path operator/(const char* name) const { return path_ / name; }
    int fd() const { return fd_.value(); }
    std::size_t entries() const {
        return static_cast<std::size_t>(
            std::distance(fs::directory_iterator{path_}, fs::directory_iterator{}));
    }

  private:
    fs::path path_;
    UniqueFd fd_;
};

void write(const fs::path& path, const std::string& text) {
    std::ofstream{path, std::ios::binary} << text;
}

std::string read(const fs::path& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

CopySource source_of(const fs::path& path, bool may_hard_link) {
    CopySource source;
    source.file = UniqueFd{adopt_fd, ::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    source.path = path;
    source.size = fs::file_size(path);
    source.may_hard_link = may_hard_link;
    return source;
}

const CopyProgress ignore = [](std::uint64_t) {};

} // namespace

TEST_CASE("names that may be placed, and names that may not") {
    for (const char* good : {"a", "a/b/c.txt", ".gitattributes", ".cache/other/x", "a/.gitignore",
                             "..a", "a..", "...", "日本/語", "a b\tc", ".cachet"}) {
        CAPTURE(good);
        CHECK(check_local_name(good).has_value());
    }
    for (const char* bad : {"",
                            "/",
                            "/a",
                            "a/",
                            "a//b",
                            ".",
                            "..",
                            "./a",
                            "a/.",
                            "../a",
                            "a/../b",
                            "a/..",
                            "..\\a",
                            "a\\..\\b",
                            "a/..\\b",
                            "C:",
                            "c:\\x",
                            "a/d:x",
                            "\\x",
                            "\\\\h\\s",
                            ".git",
                            ".git/config",
                            "a/.Git/hooks/x",
                            ".cache",
                            ".cache/huggingface",
                            ".cache/huggingface/x",
                            ".CACHE/HuggingFace/x"}) {
        CAPTURE(bad);
        const auto checked = check_local_name(bad);
        REQUIRE(checked.has_error());
        CHECK(checked.error().kind() == ErrorKind::protocol);
    }
    CHECK(check_local_name(std::string_view{"a\0b", 3}).has_error());
}

TEST_CASE("metadata is read as the official client writes it, and the other way round") {
    const auto parsed = parse_local_metadata("11c5\na16a\n1712656091.123\n");
    REQUIRE(parsed);
    CHECK(parsed->commit == "11c5");
    CHECK(parsed->etag == "a16a");
    CHECK(parsed->saved.tv_sec == 1712656091);
    CHECK(parsed->saved.tv_nsec / 1'000'000 == 123);
    CHECK(parse_local_metadata("c\r\n e \n1712656091")->etag == "e");
    CHECK(format_local_metadata({"c", "e", {1712656091, 123456789}}) ==
          "c\ne\n1712656091.123456\n");
    CHECK(format_local_metadata({"c", "e", {5, 1000}}) == "c\ne\n5.000001\n");
    for (const char* bad : {"", "c\n", "c\ne\n", "c\ne\nx\n", "c\ne\n1.5x\n", "c\ne\nnan\n",
                            "c\ne\ninf\n", "c\ne\n-1\n", "c\ne\n1e300\n"}) {
        CAPTURE(bad);
        CHECK(!parse_local_metadata(bad));
    }
}

TEST_CASE("metadata covers a file that was not changed since, give or take a second") {
    const LocalMetadata metadata{"c", "e", {100, 500}};
    CHECK(covers(metadata, {100, 500}));
    CHECK(covers(metadata, {1, 0}));
    CHECK(covers(metadata, {101, 500}));
    CHECK(!covers(metadata, {101, 501}));
    CHECK(!covers(metadata, {200, 0}));
}

TEST_CASE("a copy has the content and takes no name that is taken") {
    const Folder folder;
    write(folder / "from", std::string(100'000, 'x'));
    std::uint64_t copied = 0;
    const auto method = copy_file(source_of(folder / "from", false), folder.fd(), "to",
                                  [&](std::uint64_t n) { copied += n; });
    CHECK(method != CopyMethod::hard_link);
    CHECK(read(folder / "to") == std::string(100'000, 'x'));
    CHECK(copied == 100'000);
    CHECK_THROWS_AS(copy_file(source_of(folder / "from", false), folder.fd(), "to", ignore), Error);
    CHECK(read(folder / "to").size() == 100'000);
}

TEST_CASE("a large file is linked where nothing better is possible, also through a link to it") {
    const Folder folder;
    write(folder / "blob", "weights");
    fs::create_symlink("blob", folder / "pointer");
    const auto method = copy_file(source_of(folder / "pointer", true), folder.fd(), "to", ignore);
    CHECK(method != CopyMethod::copy);
    CHECK(fs::equivalent(folder / "to", folder / "blob") == (method == CopyMethod::hard_link));
    CHECK(!fs::is_symlink(folder / "to"));
    CHECK(read(folder / "to") == "weights");
}

TEST_CASE("what is linked is what was opened") {
    const Folder folder;
    write(folder / "blob", "right");
    CopySource source = source_of(folder / "blob", true);
    fs::rename(folder / "blob", folder / "old");
    write(folder / "blob", "wrong");
    copy_file(source, folder.fd(), "to", ignore);
    CHECK(read(folder / "to") == "right");
}

TEST_CASE("a source of the wrong size is refused, a stop leaves nothing behind") {
    const Folder folder;
    write(folder / "from", "12345");
    CopySource source = source_of(folder / "from", false);
    source.size = 6;
    CHECK_THROWS_AS(copy_file(source, folder.fd(), "to", ignore), Error);
    CHECK(folder.entries() == 1);
    const CopyProgress stop = [](std::uint64_t) { throw Error{ErrorKind::cancelled, "stop"}; };
    try {
        copy_file(source_of(folder / "from", false), folder.fd(), "to", stop);
    } catch (const Error&) {
    }
    CHECK(folder.entries() == 1);
    CHECK_THROWS_AS(copy_file(source_of("/dev", false), folder.fd(), "to", ignore), std::exception);
}

TEST_CASE("an empty file") {
    const Folder folder;
    write(folder / "from", "");
    copy_file(source_of(folder / "from", false), folder.fd(), "to", ignore);
    CHECK(fs::file_size(folder / "to") == 0);
}

TEST_CASE("folders are made on the way, links are not followed") {
    const Folder folder;
    fs::create_directory(folder / "outside");
    const FolderTree tree{(folder / "new/root").string()};
    CHECK(tree.path() == fs::canonical(folder / "new/root").string());
    CHECK(!tree.find_parent("a/b/file").is_open());
    CHECK(tree.open_parent("a/b/file").is_open());
    CHECK(fs::is_directory(folder / "new/root/a/b"));
    CHECK(tree.find_parent("a/b/file").is_open());
    CHECK(tree.find_parent("file").is_open());
    fs::create_symlink(folder / "outside", folder / "new/root/link");
    CHECK_THROWS_AS(tree.open_parent("link/file"), Error);
    CHECK_THROWS_AS(tree.open_parent("link/deeper/file"), Error);
    CHECK(!tree.find_parent("link/file").is_open());
    CHECK(fs::is_empty(folder / "outside"));
    write(folder / "new/root/plain", "");
    CHECK_THROWS_AS(tree.open_parent("plain/file"), Error);
    CHECK(base_name("a/b/c.txt") == "c.txt");
    CHECK(base_name("c.txt") == "c.txt");
}
