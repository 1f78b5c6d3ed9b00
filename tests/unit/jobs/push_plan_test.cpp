#include "daemon/jobs/push_plan.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace wharf::jobs;
using wharf::ErrorKind;
using wharf::hub::UploadMode;
using Kind = PushChange::Kind;
using Paths = std::vector<std::string>;
using Places = std::vector<std::size_t>;

namespace {

PushChange change(Kind kind, std::string path) {
    PushChange made;
    made.kind = kind;
    made.path = std::move(path);
    return made;
}

PushChange file(std::string path, std::uint64_t size, UploadMode mode = UploadMode::regular) {
    PushChange made = change(Kind::add, std::move(path));
    made.size = size;
    made.mode = mode;
    return made;
}

wharf::hub::Tree tree(Paths paths) {
    std::ranges::sort(paths);
    wharf::hub::Tree made;
    for (auto& path : paths) {
        made.files.push_back({.path = std::move(path),
                              .size = 1,
                              .blob_id = std::string(40, 'a'),
                              .lfs_sha256 = {},
                              .xet_hash = {}});
    }
    return made;
}

Deletions resolved(const std::vector<PushChange>& changes, const Paths& paths) {
    return resolve_deletions(changes, tree(paths)).value();
}

} // namespace

TEST_CASE("of a content's hashes the one of the wanted form is taken, or none") {
    const std::string sha256(64, 'a');
    const std::string git(40, 'b');
    CHECK(hash_of_length(sha256 + ' ' + git, 64) == sha256);
    CHECK(hash_of_length(sha256 + ' ' + git, 40) == git);
    CHECK(hash_of_length(sha256, 64) == sha256);
    CHECK(hash_of_length(sha256, 40).empty());
    CHECK(hash_of_length("", 40).empty());
}

TEST_CASE("commits grow while full ones are quick, and shrink when they are slow or fail") {
    SeriesPace pace;
    CHECK(pace.files() == 250);
    pace.went_in(250, 39s);
    CHECK(pace.files() == 400);
    pace.went_in(399, 1s); // not full
    CHECK(pace.files() == 400);
    pace.went_in(10, 41s);
    CHECK(pace.files() == 250);
    pace.failed();
    CHECK(pace.files() == 200);
    for (int i = 0; i < 20; ++i) {
        pace.failed();
    }
    CHECK(pace.files() == 20);
    for (int i = 0; i < 20; ++i) {
        pace.went_in(pace.files(), 1s);
    }
    CHECK(pace.files() == 1000);
}

TEST_CASE("a batch has so many files of those that are left, and all else") {
    std::vector<PushChange> changes{file("a", 1), file("b", 1), file("c", 1),
                                    change(Kind::copy, "d"), change(Kind::delete_file, "e")};
    CHECK(next_batch(changes, 2) == Places{0, 1, 3, 4});
    for (const auto place : {0, 1, 3, 4}) {
        changes[static_cast<std::size_t>(place)].done = true;
    }
    CHECK(next_batch(changes, 2) == Places{2});
    changes[2].done = true;
    CHECK(next_batch(changes, 2).empty());
}

TEST_CASE("a batch is cut to the bytes of a commit; objects and ignored files have none in it") {
    constexpr auto most = most_regular_bytes;
    std::vector<PushChange> changes{
        file("a", most - 1),   file("large", 10 * most, UploadMode::lfs),
        file("ignored", most), file("b", 2),
        file("c", 1),          change(Kind::delete_file, "d")};
    changes[2].ignored = true;
    Places batch{0, 1, 2, 3, 4, 5};
    cut_batch(changes, batch);
    CHECK(batch == Places{0, 1, 2, 4, 5});
    changes = {file("a", 2 * most), file("b", 1)};
    batch = {0, 1};
    cut_batch(changes, batch);
    CHECK(batch == Places{0}); // one file stays in any case
}

TEST_CASE("files and folders are deleted by name, and must be there") {
    const Paths there{"a", "f/x", "f/y", "g"};
    Deletions gone =
        resolved({change(Kind::delete_file, "a"), change(Kind::delete_folder, "f")}, there);
    CHECK(gone.files == Paths{"a"});
    CHECK(gone.folders == Paths{"f"});
    // By the name of a folder a folder is meant, as the official client has it.
    CHECK(resolved({change(Kind::delete_file, "f")}, there).folders == Paths{"f"});
    for (const auto kind : {Kind::delete_file, Kind::delete_folder}) {
        const auto missing = resolve_deletions({change(kind, "none")}, tree(there));
        REQUIRE_FALSE(missing.has_value());
        CHECK(missing.error().kind() == ErrorKind::file_not_found);
        CHECK(missing.error().message().find("'none'") != std::string::npos);
    }
    PushChange done = change(Kind::delete_file, "none");
    done.done = true;
    CHECK(resolved({done}, there).files.empty());
}

TEST_CASE("what goes with a folder is not named beside it") {
    const Deletions gone =
        resolved({change(Kind::delete_folder, "f/g"), change(Kind::delete_file, "f/x"),
                  change(Kind::delete_folder, "f"), change(Kind::delete_file, "fx")},
                 {"f/g/a", "f/x", "fx"});
    CHECK(gone.folders == Paths{"f"});
    CHECK(gone.files == Paths{"fx"});
}

TEST_CASE("what is added is not deleted") {
    const Paths there{"a", "f/x", "f/y"};
    const Deletions gone = resolved({change(Kind::delete_file, "a"), file("a", 1),
                                     change(Kind::delete_folder, "f"), file("f/x", 1)},
                                    there);
    CHECK(gone.folders.empty());
    CHECK(gone.files == Paths{"f/y"});
}

TEST_CASE("patterns delete what they match below their folder, but .gitattributes") {
    const Paths there{".gitattributes",   "a.bin",   "b.txt",
                      "f/.gitattributes", "f/a.bin", "f/g/b.bin"};
    CHECK(resolved({change(Kind::delete_pattern, "*.bin")}, there).files ==
          Paths{"a.bin", "f/a.bin", "f/g/b.bin"});
    CHECK(resolved({change(Kind::delete_pattern, "*")}, there).files ==
          Paths{"a.bin", "b.txt", "f/.gitattributes", "f/a.bin", "f/g/b.bin"});
    CHECK(resolved({change(Kind::delete_pattern, "f/g/")}, there).files == Paths{"f/g/b.bin"});
    PushChange below = change(Kind::delete_pattern, "?.bin");
    below.below = "f";
    CHECK(resolved({below}, there).files == Paths{"f/a.bin"});
    CHECK(resolved({change(Kind::delete_pattern, "none*")}, there).files.empty());
    CHECK(resolved({change(Kind::delete_file, ".gitattributes")}, there).files ==
          Paths{".gitattributes"});
}

TEST_CASE("a commit is known by what it adds and takes away") {
    std::vector<PushChange> changes{file("f/new", 1),
                                    change(Kind::delete_folder, "f"),
                                    change(Kind::delete_file, "old"),
                                    change(Kind::delete_file, "same"),
                                    file("same", 1),
                                    change(Kind::delete_pattern, "*"),
                                    file("ignored", 1),
                                    file("done", 1),
                                    file("of another commit", 1)};
    for (auto& part : changes) {
        part.commit = 2;
        part.oid = part.is_deletion() ? "" : "hash of " + part.path;
    }
    changes[6].ignored = true;
    changes[7].done = true;
    changes[8].commit = 3;
    const std::map<std::string, std::string> expected{
        {"f/new", "hash of f/new"}, {"old", ""}, {"same", "hash of same"}};
    CHECK(expected_of(changes, 2) == expected);
}

TEST_CASE("a commit's title is the first line of its message, and says which part it is") {
    const auto check = [](std::string summary, std::string description, std::string_view title,
                          std::string_view rest) {
        const Message message = split_message(std::move(summary), std::move(description));
        CHECK(message.summary == title);
        CHECK(message.description == rest);
    };
    check("title", "", "title", "");
    check("title", "text", "title", "text");
    check("title\n\nmore\nlines", "", "title", "more\nlines");
    check("title\r\nmore", "text", "title", "more\n\ntext");
    check("title\n", "text", "title", "text");
    CHECK(part_title("title", 1) == "title");
    CHECK(part_title("title", 2) == "title (part 2)");
}
