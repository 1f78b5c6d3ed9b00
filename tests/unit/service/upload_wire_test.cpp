#include "daemon/service/upload_wire.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using wharf::Error;
using wharf::ErrorKind;
using wharf::UniqueFd;
using wharf::async::ForeignFd;
using wharf::service::read_changes;
using wharf::service::read_upload;
using wharf::service::result_of;
namespace hub = wharf::hub;
namespace jobs = wharf::jobs;
namespace json = boost::json;

namespace {

json::object parse(std::string_view text) {
    return json::parse({text.data(), text.size()}).as_object();
}

/// Files of 0, 1, 2 … bytes, so that each is known by its size.
std::vector<ForeignFd> files(std::size_t count) {
    std::vector<ForeignFd> list;
    for (std::size_t i = 0; i < count; ++i) {
        list.emplace_back(
            UniqueFd{wharf::adopt_fd, ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)});
        REQUIRE(::ftruncate(list.back().value(), static_cast<off_t>(i)) == 0);
    }
    return list;
}

off_t size_of(const ForeignFd& fd) {
    struct stat info{};
    REQUIRE(::fstat(fd.value(), &info) == 0);
    return info.st_size;
}

template <typename Function>
std::string refusal(Function function) {
    try {
        function();
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::invalid_request);
        CHECK_FALSE(error.hint().empty());
        return error.message();
    }
    return {};
}

std::string refusal_of_changes(std::string_view text, std::size_t descriptors) {
    return refusal([&] {
        auto list = files(descriptors);
        read_changes(parse(text), list);
    });
}

std::string many(std::string_view name, std::string_view element, std::size_t count) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i) {
        list.append(i == 0 ? "" : ",").append(element);
    }
    return "\"" + std::string{name} + "\":[" + list + "]";
}

} // namespace

TEST_CASE("what is begun, with its defaults") {
    const auto least = read_upload(parse(R"({"repo":"org/model"})"), 7);
    CHECK(least.uid == 7);
    CHECK(least.repo == hub::RepoId{hub::RepoType::model, "org/model"});
    CHECK(least.revision == "main");
    CHECK(least.commit == jobs::CommitOrder{}); // who keeps it knows a title
    CHECK(least.priority == jobs::Priority::normal);

    const auto all = read_upload(parse(R"({"repo":"org/data","repo_type":"dataset",
        "revision":"refs/pr/3","message":"one\ntwo","description":"more",
        "parent_commit":"0123456789012345678901234567890123456789","create_pr":true,"create":true,
        "private":true,"attached":true,"priority":"background"})"),
                                 7);
    CHECK(all.repo == hub::RepoId{hub::RepoType::dataset, "org/data"});
    CHECK(all.revision == "refs/pr/3");
    CHECK(all.commit.summary == "one\ntwo"); // who keeps it splits it
    CHECK(all.commit.description == "more");
    CHECK(all.commit.parent == "0123456789012345678901234567890123456789");
    CHECK(all.commit.create_pr);
    CHECK(all.commit.create);
    CHECK(all.commit.is_private);
    CHECK(all.commit.attached);
    CHECK(all.priority == jobs::Priority::background);
}

TEST_CASE("what cannot be begun") {
    const auto begin = [](std::string text) {
        return refusal([&] { read_upload(parse(text), 7); });
    };
    CHECK(begin(R"({"repo":"org/model","parent_commit":"main"})") == "'main' is no commit");
    CHECK(begin(R"({"repo":"org/model","parent_commit":"0123456"})") == "'0123456' is no commit");
    const std::string longest(64 << 10, 'x');
    CHECK(begin(R"({"repo":"org/model","message":")" + longest + "\"}").empty());
    CHECK(begin(R"({"repo":"org/model","message":")" + longest + "x\"}") ==
          "the message of a commit may have 65536 bytes");
    CHECK(begin(R"({"repo":"org/model","description":")" + longest + "x\"}") ==
          "the description of a commit may have 65536 bytes");
}

TEST_CASE("files come with the descriptors that they name") {
    auto list = files(3);
    const auto changes = read_changes(parse(R"({"upload":1,"files":[
        {"path":"two","descriptor":2},{"path":"none","descriptor":0,"size":12},
        {"path":"one","descriptor":1,"size":null}]})"),
                                      list);
    REQUIRE(changes.files.size() == 3);
    CHECK(changes.files[0].path == "two");
    CHECK(size_of(changes.files[0].source) == 2);
    CHECK_FALSE(changes.files[0].size);
    CHECK(changes.files[1].path == "none");
    CHECK(size_of(changes.files[1].source) == 0);
    CHECK(changes.files[1].size == 12);
    CHECK(size_of(changes.files[2].source) == 1);
    CHECK_FALSE(changes.files[2].size);
}

TEST_CASE("all else that can be changed") {
    std::vector<ForeignFd> none;
    const auto changes = read_changes(parse(R"({"upload":1,"files":null,
        "contents":[{"path":"a","content":"Zm9v"},{"path":"empty","content":""}],
        "copies":[{"path":"b","from_path":"c"},{"path":"d","from_path":"e","from_repo":"org/data",
            "from_repo_type":"dataset","from_revision":"v1"},
            {"path":"f","from_path":"g","from_repo":"org/model"}],
        "delete":["x","y"],"delete_folders":["z"],"delete_patterns":["*.bin"],"below":"in"})"),
                                      none);
    CHECK(changes.files.empty());
    REQUIRE(changes.contents.size() == 2);
    CHECK(changes.contents[0].path == "a");
    CHECK(changes.contents[0].content == "foo");
    CHECK(changes.contents[1].content.empty());
    REQUIRE(changes.copies.size() == 3);
    CHECK(changes.copies[0].from_path == "c");
    CHECK_FALSE(changes.copies[0].from_repo);
    CHECK_FALSE(changes.copies[0].from_revision);
    CHECK(changes.copies[1].from_repo == hub::RepoId{hub::RepoType::dataset, "org/data"});
    CHECK(changes.copies[1].from_revision == "v1");
    CHECK(changes.copies[2].from_repo == hub::RepoId{hub::RepoType::model, "org/model"});
    CHECK(changes.deleted_files == std::vector<std::string>{"x", "y"});
    CHECK(changes.deleted_folders == std::vector<std::string>{"z"});
    CHECK(changes.delete_patterns == std::vector<std::string>{"*.bin"});
    CHECK(changes.below == "in");
    CHECK(read_changes(parse(R"({"upload":1})"), none).contents.empty());
}

TEST_CASE("what cannot be added, and why") {
    struct Row {
        std::string text;
        std::size_t descriptors;
        std::string message;
    };
    const Row rows[]{
        {R"({"files":[{"path":"a","descriptor":0}]})", 0,
         "'a' names descriptor 0, and 0 came with the call"},
        {R"({"files":[{"path":"a","descriptor":2}]})", 2,
         "'a' names descriptor 2, and 2 came with the call"},
        {R"({"files":[{"path":"a","descriptor":-1}]})", 1,
         "'a' names descriptor -1, and 1 came with the call"},
        {R"({"files":[{"path":"a","descriptor":9223372036854775807}]})", 1,
         "'a' names descriptor 9223372036854775807, and 1 came with the call"},
        {R"({"files":[{"path":"a","descriptor":0},{"path":"b","descriptor":0}]})", 2,
         "'b' names descriptor 0, as another file does"},
        {R"({"files":[{"path":"a","descriptor":1}]})", 2, "2 descriptors came with 1 files"},
        {R"({"contents":[{"path":"a","content":""}]})", 1, "1 descriptors came with 0 files"},
        {R"({"files":[{"path":"a","descriptor":0,"size":-1}]})", 1, "the size of 'a' is -1"},
        {R"({"contents":[{"path":"a","content":"Zg"}]})", 0, "the content of 'a' is not base64"},
        {R"({"contents":[{"path":"a","content":"Zm9v\n"}]})", 0,
         "the content of 'a' is not base64"},
        {R"({"copies":[{"path":"a","from_path":"b","from_repo_type":"space"}]})", 0,
         "the copy to 'a' names a type, and no repo"},
        {"{" + many("contents", R"({"path":"a","content":""})", 201) + "}", 0,
         "201 files in one call: at most 200 can be taken"},
        {"{" + many("contents", R"({"path":"a","content":""})", 100) + "," +
             many("files", R"({"path":"a","descriptor":0})", 101) + "}",
         0, "201 files in one call: at most 200 can be taken"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.text);
        CHECK(refusal_of_changes(row.text, row.descriptors) == row.message);
    }
}

TEST_CASE("descriptors of a call that cannot be carried out are closed") {
    int ends[2] = {-1, -1};
    REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    const UniqueFd reader{wharf::adopt_fd, ends[0]};
    {
        std::vector<ForeignFd> list;
        list.emplace_back(UniqueFd{wharf::adopt_fd, ends[1]});
        CHECK_THROWS_AS(read_changes(parse(R"({"files":[{"path":"a","descriptor":0},
            {"path":"b","descriptor":0}]})"),
                                     list),
                        Error);
    }
    char byte = 0;
    CHECK(::read(reader.value(), &byte, 1) == 0); // no writer is left
}

TEST_CASE("what a push has come to") {
    const auto endpoint = wharf::net::Url::parse("https://hub.example/prefix").value();
    jobs::JobInfo job;
    job.repo = {hub::RepoType::dataset, "org/data"};
    job.commit = std::string(40, 'a');
    job.push.emplace();
    job.push->outcome = {
        .commits = 2, .files = 3, .bytes_sent = 4, .pull_request = {}, .warnings = {"look \xff"}};
    const auto result = result_of(job, endpoint);
    CHECK(result.at("commit").as_string() == job.commit);
    CHECK(result.at("url").as_string() ==
          "https://hub.example/prefix/datasets/org/data/commit/" + job.commit);
    CHECK(result.at("pull_request").is_null());
    CHECK(result.at("commits").as_int64() == 2);
    CHECK(result.at("files").as_int64() == 3);
    CHECK(result.at("bytes_sent").as_int64() == 4);
    CHECK(json::serialize(result.at("warnings")) == "[\"look \xef\xbf\xbd\"]");
    job.push->outcome.pull_request = 12;
    CHECK(result_of(job, endpoint).at("pull_request").as_string() ==
          "https://hub.example/prefix/datasets/org/data/discussions/12");
}
