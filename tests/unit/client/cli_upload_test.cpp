#include "client/cli/argument_values.hpp"
#include "client/cli/file_walk.hpp"
#include "client/cli/options.hpp"
#include "client/cli/repo_path.hpp"
#include "client/cli/upload_plan.hpp"
#include "client/cli/upload_wire.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

using namespace wharf;
using namespace wharf::cli;

namespace fs = std::filesystem;

namespace {

using List = std::vector<std::string>;

/// A file system of these paths; all others are missing.
LookAt world(std::map<std::string, PathKind> paths) {
    return [paths](const std::string& path) {
        const auto found = paths.find(path);
        return found == paths.end() ? PathKind::missing : found->second;
    };
}

const LookAt usual = world({{"model", PathKind::folder},
                            {"out", PathKind::folder},
                            {"out/w.bin", PathKind::file},
                            {"a[1].bin", PathKind::file},
                            {"fifo", PathKind::other}});

UploadPlan plan(UploadArguments arguments) {
    return plan_upload(arguments, usual).value();
}

ErrorKind fault(UploadArguments arguments) {
    const auto planned = plan_upload(arguments, usual);
    REQUIRE(planned.has_error());
    return planned.error().kind();
}

UploadCommand upload(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), {"wharf", "upload"});
    const ParsedArguments parsed =
        parse_arguments(static_cast<int>(arguments.size()), arguments.data());
    REQUIRE_MESSAGE(parsed.options.has_value(), parsed.text);
    return std::get<UploadCommand>(parsed.options->command);
}

void write(const fs::path& path) {
    fs::create_directories(path.parent_path());
    std::ofstream{path} << "x";
}

/// What a walk finds, and what it passes over.
struct Found {
    List files;
    List passed_over;
    List faults;
};

Found walk(const UploadPlan& planned) {
    Found found;
    WalkEvents events;
    events.on_file = [&](const FoundFile& file) {
        found.files.push_back(file.path_in_repo);
        CHECK(check_readable(file).has_value());
        CHECK(open_file(file).descriptor.is_open());
    };
    events.on_fault = [&](const Error& error) { found.faults.push_back(error.message()); };
    events.on_passed_over = [&](const std::string& shown) {
        found.passed_over.push_back(fs::path{shown}.filename());
    };
    find_files(planned, events);
    return found;
}

UploadPlan below(const test::TempDir& folder) {
    UploadPlan planned;
    planned.local_path = folder.path();
    return planned;
}

} // namespace

TEST_CASE("all that upload takes") {
    const UploadCommand command = upload({"org/m",
                                          "dir",
                                          "to",
                                          "--include",
                                          "a",
                                          "--include",
                                          "b",
                                          "--exclude",
                                          "c",
                                          "--delete",
                                          "d",
                                          "--delete=e",
                                          "--create-pr",
                                          "--private",
                                          "--commit-message",
                                          "m",
                                          "--token=t",
                                          "--detach",
                                          "--json",
                                          "--parent-commit",
                                          "abc",
                                          "--type",
                                          "space",
                                          "--priority",
                                          "background",
                                          "--commit-description",
                                          "more"});
    CHECK(command.what.repo == "org/m");
    CHECK(command.what.local_path == "dir");
    CHECK(command.what.path_in_repo == "to");
    CHECK(command.what.include == List{"a", "b"});
    CHECK(command.what.exclude == List{"c"});
    CHECK(command.what.remove == List{"d", "e"});
    CHECK(command.what.repo_type == "space");
    CHECK(command.commit.message == "m");
    CHECK(command.commit.description == "more");
    CHECK(command.commit.parent == "abc");
    CHECK(command.commit.priority == "background");
    CHECK(command.commit.token == "t");
    CHECK(command.commit.create_pr);
    CHECK(command.commit.detach);
    CHECK(command.is_private);
    CHECK(!command.attached);
    CHECK(!command.every);
    CHECK(!upload({"org/m"}).what.local_path);
    CHECK(upload({"org/m", "x", "--every", "90s"}).every == std::chrono::seconds{90});
}

TEST_CASE("a period is minutes, or a duration") {
    using namespace std::chrono_literals;
    CHECK(read_period("5") == 5min);
    CHECK(read_period("0.5") == 30s);
    CHECK(read_period("5m") == 5min);
    CHECK(read_period("1h") == 1h);
    for (const char* text :
         {"", "0", "-5", "nan", "inf", "1e300", "soon", "5 m", "500ms", "0.001", "400d", "5mm"}) {
        CAPTURE(text);
        CHECK(!read_period(text));
    }
}

TEST_CASE("local path and place in the repo follow the official client") {
    CHECK(plan({.repo = "org/model"}).local_path == "model");
    CHECK(plan({.repo = "org/model"}).path_in_repo.empty());
    CHECK(plan({.repo = "org/m", .local_path = "out/w.bin"}).path_in_repo == "w.bin");
    CHECK(plan({.repo = "org/m", .local_path = "out/w.bin"}).is_file);
    CHECK(plan({.repo = "org/m", .local_path = "out", .path_in_repo = "./a/b/"}).path_in_repo ==
          "a/b");
    CHECK(plan({.repo = "org/m", .local_path = "out", .path_in_repo = "."}).path_in_repo.empty());
    const UploadPlan uri = plan({.repo = "hf://datasets/org/d@v1/x", .local_path = "out"});
    CHECK(uri.repo == "org/d");
    CHECK(uri.repo_type == "dataset");
    CHECK(uri.revision == "v1");
    CHECK(uri.path_in_repo == "x");
    const UploadPlan wildcard = plan({.repo = "org/m", .local_path = "*.bin", .exclude = {"b"}});
    CHECK(wildcard.local_path == ".");
    CHECK(wildcard.include == List{"*.bin"});
    CHECK(wildcard.exclude == List{"b"});
    CHECK(plan({.repo = "org/m", .local_path = "a[1].bin"}).is_file); // what is there is meant
    CHECK(plan({.repo = "org/m", .local_path = "out/w.bin", .include = {"x"}}).warnings.size() ==
          1);
}

TEST_CASE("what cannot be planned") {
    CHECK(fault({.repo = "org/other"}) == ErrorKind::invalid_request);
    CHECK(fault({.repo = "org/m", .local_path = "nothere"}) == ErrorKind::file_not_found);
    CHECK(fault({.repo = "org/m", .local_path = "fifo"}) == ErrorKind::invalid_request);
    CHECK(fault({.repo = "org/m", .local_path = ""}) == ErrorKind::invalid_request);
    CHECK(fault({.repo = "org/m", .local_path = "out", .path_in_repo = "../x"}) ==
          ErrorKind::invalid_request);
    CHECK(fault({.repo = "org/m", .local_path = "*.bin", .path_in_repo = "x"}) ==
          ErrorKind::invalid_request);
    CHECK(fault({.repo = "org/m", .local_path = "*.bin", .include = {"x"}}) ==
          ErrorKind::invalid_request);
    CHECK(fault({.repo = "hf://org/m/x", .local_path = "out", .path_in_repo = "y"}) ==
          ErrorKind::invalid_request);
    CHECK(fault({.repo = "org/m", .local_path = "out", .exclude = {""}}) ==
          ErrorKind::invalid_request);
}

TEST_CASE("paths that a repo may have") {
    for (const char* path : {"a", "a/b.c", ".gitignore", "a/.gitattributes", ".cache/x", "\xC3\xA9",
                             "x.cache/huggingface", ".cache/huggingfaces", "a b[1]"}) {
        CAPTURE(path);
        CHECK(check_repo_path(path).has_value());
    }
    const std::string long_name(256, 'n');
    for (const std::string& path :
         List{"", "/a", "a/", "a//b", "./a", "a/../b", "..\\a", "a\\..", ".git/x", "a/.GIT", "a\nb",
              "\xff", ".cache/huggingface", "a/.cache/huggingface/b", long_name,
              std::string(200, 'a') + "/" + std::string(900, 'b')}) {
        CAPTURE(path);
        CHECK(check_repo_path(path).has_error());
    }
}

TEST_CASE("a walk finds regular files in the order of their names") {
    const test::TempDir folder;
    for (const char* name : {"b.txt", "b/z", "b/a/x", "a", ".hidden", ".git/config",
                             "b/.git/config", ".cache/huggingface/m", ".cache/other"}) {
        write(folder / name);
    }
    fs::create_symlink("a", folder / "link");
    fs::create_directory_symlink("b", folder / "linked");
    fs::create_symlink("nowhere", folder / "broken");
    UploadPlan planned = below(folder);
    Found found = walk(planned);
    // Folder by folder, as sorted() has pathlib's paths.
    CHECK(found.files == List{".cache/other", ".hidden", "a", "b/a/x", "b/z", "b.txt", "link"});
    CHECK(found.passed_over == List{"broken", "linked"});
    CHECK(found.faults.empty());
    planned.path_in_repo = "to/there";
    planned.include = {"b/"};
    planned.exclude = {"*/a/*"};
    found = walk(planned);
    CHECK(found.files == List{"to/there/b/z"});
    CHECK(found.passed_over.empty());
}

TEST_CASE("a pattern that names a folder does not exclude what is in it") {
    const test::TempDir folder;
    write(folder / "b/c");
    write(folder / "b/d/e");
    UploadPlan planned = below(folder);
    for (const char* pattern : {"b", "b?", "*b", "b/?/"}) {
        CAPTURE(pattern);
        planned.exclude = {pattern};
        CHECK(walk(planned).files.size() == (std::string{pattern} == "b/?/" ? 1 : 2));
    }
    for (const char* pattern : {"b/", "b*", "*", "[ab]/*"}) {
        CAPTURE(pattern);
        planned.exclude = {pattern};
        CHECK(walk(planned).files.empty());
    }
}

TEST_CASE("names that no repo takes are reported, and the walk can go on") {
    const test::TempDir folder;
    write(folder / "a");
    write(folder / "bad\xff");
    const Found found = walk(below(folder));
    CHECK(found.files == List{"a"});
    REQUIRE(found.faults.size() == 1);
    CHECK(found.faults.front().find("bad\\xff") != std::string::npos);
}

TEST_CASE("a file is opened only if it still is one") {
    const test::TempDir folder;
    write(folder / "a");
    WalkEvents events;
    events.on_fault = [](const Error& error) { throw error; };
    events.on_file = [&](const FoundFile& file) {
        fs::remove(folder / "a");
        CHECK(!open_file(file).descriptor.is_open());
        fs::create_symlink("/etc/passwd", folder / "a");
        CHECK_THROWS_AS(open_file(file), Error); // it was no link when it was found
        fs::remove(folder / "a");
        REQUIRE(::mkfifo((folder / "a").c_str(), 0600) == 0);
        CHECK_THROWS_AS(open_file(file), Error); // and does not wait for a writer
    };
    find_files(below(folder), events);
}

TEST_CASE("an order says what was asked and nothing else") {
    UploadOrder order;
    order.repo = "org/m";
    order.message = "m";
    CHECK(json::serialize(order_parameters(order)) ==
          R"({"repo":"org/m","repo_type":"model","revision":"main","message":"m"})");
    order.create = true;
    order.token = "";
    const json::object more = order_parameters(order);
    CHECK(more.at("create").as_bool());
    CHECK(more.at("token").as_string().empty()); // which means: none at all
    CHECK(!more.contains("private"));
}

TEST_CASE("answers of Submit are read, and not believed blindly") {
    const auto read = [](const char* text) {
        return read_upload_reply(json::parse(text).as_object());
    };
    CHECK(read(R"({"job": 7})").job == 7);
    const UploadReply last = read(R"({"result": {"commit": "c", "url": "u", "pull_request": null,
        "commits": 0, "files": 2, "bytes_sent": 3, "warnings": ["w"]}})");
    REQUIRE(last.result);
    CHECK(last.result->address() == "u");
    CHECK(last.result->warnings == List{"w"});
    for (const char* text : {R"({"result": {}})", R"({"result": 1})", R"({"job": "x"})",
                             R"({"result": {"commit": "c", "url": "u", "commits": -1, "files": 2,
                                 "bytes_sent": 3, "warnings": []}})",
                             R"({"result": {"commit": "c", "url": "u", "commits": 1, "files": 2,
                                 "bytes_sent": 3, "warnings": [1]}})"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(read(text), Error);
    }
}
