#include "protocol/message.hpp"
#include "tests/support/golden.hpp"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

#include <string>

using namespace std::string_literals;
namespace json = boost::json;
using wharf::protocol::Call;
using wharf::protocol::decode_call;
using wharf::protocol::decode_reply;
using wharf::protocol::encode;
using wharf::protocol::Reply;

namespace {

json::object object(std::string_view text) {
    return json::parse({text.data(), text.size()}).get_object();
}

/// A frame as it is kept in a file: its text, and a line end where the NUL is.
std::string as_line(std::string frame) {
    REQUIRE(frame.ends_with('\0'));
    frame.back() = '\n';
    return frame;
}

std::string_view without_end(std::string_view line) {
    return line.substr(0, line.size() - 1);
}

} // namespace

TEST_CASE("calls are written and read as the golden frames") {
    const struct {
        const char* file;
        Call call;
    } rows[] = {
        {"call-get-info.json", {"org.varlink.service.GetInfo", {}, false, false, false}},
        {"call-get-interface-description.json",
         {"org.varlink.service.GetInterfaceDescription", object(R"({"interface":"org.wharf"})"),
          false, false, false}},
        {"call-download-more.json",
         {"org.wharf.Downloads.Download",
          object(R"({"repo":"org/name","repo_type":"model","include":["*.json"],"force":false})"),
          false, true, false}},
        {"call-cancel-oneway.json",
         {"org.wharf.Jobs.Cancel", object(R"({"id":17})"), true, false, false}},
        {"call-upgrade.json", {"org.example.Shell.Open", {}, false, false, true}},
    };
    for (const auto& row : rows) {
        CAPTURE(row.file);
        const std::string golden = wharf::test::golden("tests/vectors/varlink"s + "/" + row.file,
                                                       as_line(encode(row.call)));
        CHECK(as_line(encode(row.call)) == golden);
        const Call read = decode_call(without_end(golden)).value();
        CHECK(read.method == row.call.method);
        CHECK(read.parameters == row.call.parameters);
        CHECK(read.oneway == row.call.oneway);
        CHECK(read.more == row.call.more);
        CHECK(read.upgrade == row.call.upgrade);
    }
}

TEST_CASE("replies are written and read as the golden frames") {
    const struct {
        const char* file;
        Reply reply;
    } rows[] = {
        {"reply-empty.json", {{}, false, ""}},
        {"reply-open.json",
         {object(R"({"descriptor":0,"size":12,"etag":"00","commit":"11","path":"/c/f"})"), false,
          ""}},
        {"reply-progress-continues.json",
         {object(R"({"job":3,"progress":{"state":"running","files_done":0}})"), true, ""}},
        {"reply-error-repo-not-found.json",
         {object(R"({"message":"there is no repo a/b that you may see","hint":""})"), false,
          "org.wharf.RepoNotFound"}},
        {"reply-error-invalid-parameter.json",
         {object(R"({"parameter":"repo"})"), false, "org.varlink.service.InvalidParameter"}},
    };
    for (const auto& row : rows) {
        CAPTURE(row.file);
        const std::string golden = wharf::test::golden("tests/vectors/varlink"s + "/" + row.file,
                                                       as_line(encode(row.reply)));
        CHECK(as_line(encode(row.reply)) == golden);
        const Reply read = decode_reply(without_end(golden)).value();
        CHECK(read.parameters == row.reply.parameters);
        CHECK(read.continues == row.reply.continues);
        CHECK(read.error == row.reply.error);
    }
}

TEST_CASE("what other writers send is understood") {
    const struct {
        const char* name;
        const char* text;
    } rows[] = {
        {"blanks", " { \"method\" :\t\"a.b.C\" , \"parameters\" : { } }\r\n"},
        {"nulls", R"({"method":"a.b.C","parameters":null,"more":null,"oneway":null})"},
        {"unknown members", R"({"method":"a.b.C","extension":{"x":[1,2]}})"},
        {"escapes", R"({"method":"\u0061.b.C"})"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.name);
        const auto call = decode_call(row.text);
        REQUIRE(call.has_value());
        CHECK(call->method == "a.b.C");
        CHECK(call->parameters.empty());
        CHECK_FALSE(call->more);
    }
}

TEST_CASE("malformed calls are refused") {
    const std::string deep = [] {
        std::string text = R"({"method":"a.b.C","parameters":{"x":)";
        text += std::string(40, '[') + std::string(40, ']') + "}}";
        return text;
    }();
    const std::string many = [] {
        std::string text = R"({"method":"a.b.C","parameters":{)";
        for (int i = 0; i < 70'000; ++i) {
            text += '"' + std::to_string(i) + "\":0,";
        }
        text.back() = '}';
        return text + "}";
    }();
    const std::string elements = [] {
        std::string text = R"({"method":"a.b.C","parameters":{"list":[)";
        for (int i = 0; i < 70'000; ++i) {
            text += "0,";
        }
        text.back() = ']';
        return text + "}}";
    }();
    const struct {
        const char* name;
        std::string text;
    } rows[] = {
        {"empty", ""},
        {"not JSON", "hello"},
        {"an array", "[]"},
        {"cut", R"({"method":"a.b.C")"},
        {"more after it", R"({"method":"a.b.C"}{})"},
        {"no method", R"({"parameters":{}})"},
        {"empty method", R"({"method":""})"},
        {"method of the wrong type", R"({"method":7})"},
        {"parameters of the wrong type", R"({"method":"a.b.C","parameters":[1]})"},
        {"flag of the wrong type", R"({"method":"a.b.C","more":1})"},
        {"a member twice", R"({"method":"a.b.C","method":"a.b.D"})"},
        {"a member twice, spelt differently", R"({"method":"a.b.C","\u006dethod":"a.b.D"})"},
        {"a parameter twice", R"({"method":"a.b.C","parameters":{"x":1,"y":{},"x":{"z":2}}})"},
        {"twice in an array", R"({"method":"a.b.C","parameters":{"x":[{"a":":","a":0}]}})"},
        {"too deep", deep},
        {"too many elements", elements},
        {"too many members", many},
        {"a number beyond all range", R"({"method":"a.b.C","parameters":{"x":[{"y":-1e400}]}})"},
        {"bad UTF-8", "{\"method\":\"a.b.C\xff\"}"},
        {"cut UTF-8", "{\"method\":\"a.b.C\xc3\"}"},
        {"a surrogate alone", R"({"method":"\ud800"})"},
        {"a comment", "{\"method\":\"a.b.C\"} // x"},
        {"a trailing comma", R"({"method":"a.b.C",})"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.name);
        const auto call = decode_call(row.text);
        REQUIRE(call.has_error());
        CHECK(call.error().kind() == wharf::ErrorKind::protocol);
    }
}

TEST_CASE("colons and quotes in strings are no members") {
    const auto call =
        decode_call(R"({"method":"a.b.C","parameters":{"x":"a:\"b\":\\","y:z":[":","\\\":"]}})");
    REQUIRE(call.has_value());
    CHECK(call->parameters.at("x").as_string() == "a:\"b\":\\");
}

TEST_CASE("what is written holds no NUL but the last") {
    const Call call{"a.b.C", {{"x", json::string{"a\0b", 3}}}, false, false, false};
    const std::string frame = encode(call);
    CHECK(frame.find('\0') == frame.size() - 1);
    const Call read = decode_call(without_end(frame)).value();
    CHECK(read.parameters == call.parameters);
}

TEST_CASE("malformed replies are refused") {
    for (const char* text : {"", "[]", R"({"error":5})", R"({"continues":"yes"})",
                             R"({"parameters":"x"})", R"({"error":"a","error":"b"})"}) {
        CAPTURE(text);
        CHECK(decode_reply(text).has_error());
    }
    CHECK(decode_reply("{}").has_value());
    CHECK(decode_reply(R"({"error":null})").value().error.empty());
}
