#include "protocol/definitions.hpp"
#include "protocol/error_names.hpp"
#include "tests/support/socket_harness.hpp"

#include <boost/json/serialize.hpp>

using wharf::test::Harness;
using wharf::test::parse;
using wharf::test::RawClient;
using namespace std::string_literals;

namespace {

wharf::protocol::Reply call_any(RawClient& client, const std::string& method,
                                const std::string& parameters = "{}") {
    client.send(R"({"method":")" + method + R"(","parameters":)" + parameters + "}" + '\0');
    auto reply = client.read();
    REQUIRE(reply);
    return std::move(*reply);
}

constexpr const char* all_types = R"({"all":{"flag":true,"number":-9007199254740993,"ratio":0.5,
  "text":"x\ny","colour":"green","point":{"x":1,"y":2},"points":[{"x":0,"y":0,"label":"o"}],
  "by_name":{"a":{"x":1,"y":1},"":{"x":2,"y":2}},"anything":{"deep":[[{}]]},"nothing":null}})";

} // namespace

TEST_CASE("the service tells what it offers") {
    Harness harness;
    RawClient client{harness};
    const auto info = call_any(client, "org.varlink.service.GetInfo").parameters;
    CHECK(info.at("vendor").as_string() == "wharf");
    CHECK(info.at("product").as_string() == "wharf");
    CHECK(info.at("version").as_string() == wharf::protocol::version());
    CHECK(info.at("url").is_string());
    CHECK(info.at("interfaces") == parse(R"(["org.varlink.service","org.example.demo"])"));
    const auto description = call_any(client, "org.varlink.service.GetInterfaceDescription",
                                      R"({"interface":"org.varlink.service"})");
    CHECK(description.parameters.at("description").as_string() ==
          wharf::protocol::definitions().front());
    const auto unknown = call_any(client, "org.varlink.service.GetInterfaceDescription",
                                  R"({"interface":"org.example.none"})");
    CHECK(unknown.error == wharf::protocol::interface_not_found);
    CHECK(unknown.parameters == parse(R"({"interface":"org.example.none"})").get_object());
}

TEST_CASE("the standard errors") {
    Harness harness;
    RawClient client{harness};
    const struct {
        const char* method;
        const char* parameters;
        const char* error;
        const char* detail;
    } rows[] = {
        {"org.example.none.Ping", "{}", "InterfaceNotFound", R"({"interface":"org.example.none"})"},
        {"org.example.Ping", "{}", "InterfaceNotFound", R"({"interface":"org.example"})"},
        {"Ping", "{}", "InterfaceNotFound", R"({"interface":"Ping"})"},
        {"org.example.demo.None", "{}", "MethodNotFound", R"({"method":"org.example.demo.None"})"},
        {"org.example.demo.ping", "{}", "MethodNotFound", R"({"method":"org.example.demo.ping"})"},
        {"org.example.demo.Point", "{}", "MethodNotFound",
         R"({"method":"org.example.demo.Point"})"},
        {"org.example.demo.", "{}", "MethodNotFound", R"({"method":"org.example.demo."})"},
        {"org.example.demo.Missing", "{}", "MethodNotImplemented",
         R"({"method":"org.example.demo.Missing"})"},
        {"org.example.demo.Ping", "{}", "InvalidParameter", R"({"parameter":"text"})"},
        {"org.example.demo.Ping", R"({"text":1})", "InvalidParameter", R"({"parameter":"text"})"},
        {"org.example.demo.Ping", R"({"text":"a\u0000b"})", "InvalidParameter",
         R"({"parameter":"text"})"},
        {"org.example.demo.Ping", R"({"text":"x","txet":"y"})", "InvalidParameter",
         R"({"parameter":"txet"})"},
        {"org.example.demo.Hang", R"({"now":true})", "InvalidParameter", R"({"parameter":"now"})"},
        {"org.example.demo.Positive", R"({"number":0})", "InvalidParameter",
         R"({"parameter":"number"})"},
        {"org.example.demo.Echo", R"({"all":{}})", "InvalidParameter", R"({"parameter":"all"})"},
        {"org.varlink.service.GetInterfaceDescription", "{}", "InvalidParameter",
         R"({"parameter":"interface"})"},
        {"org.example.demo.Watch", R"({"changes":1})", "ExpectedMore", "{}"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.method);
        CAPTURE(row.parameters);
        const auto reply = call_any(client, row.method, row.parameters);
        CHECK(reply.error == "org.varlink.service."s + row.error);
        CHECK(reply.parameters == parse(row.detail).get_object());
        CHECK_FALSE(reply.continues);
    }
}

TEST_CASE("nothing can be upgraded") {
    Harness harness;
    RawClient client{harness};
    const auto reply = client.call("Ping", R"({"text":"x"})", R"(,"upgrade":true)");
    CHECK(reply.error == wharf::protocol::method_not_implemented);
}

TEST_CASE("values of all types come through unchanged") {
    Harness harness;
    RawClient client{harness};
    const auto reply = client.call("Echo", all_types);
    CHECK(reply.error.empty());
    CHECK(reply.parameters == parse(all_types).get_object());
}

TEST_CASE("our errors are typed, with a sentence and a hint") {
    Harness harness;
    RawClient client{harness};
    for (int i = 0; i < static_cast<int>(wharf::ErrorKind::internal); ++i) {
        const auto kind = static_cast<wharf::ErrorKind>(i);
        CAPTURE(wharf::name(kind));
        const auto reply = client.call("Fail", R"({"kind":")" + std::string{wharf::name(kind)} +
                                                   R"(","message":"no a/b"})");
        CHECK(reply.error == wharf::protocol::error_name(kind));
        CHECK(reply.parameters ==
              parse(R"({"message":"no a/b","hint":"do something else"})").get_object());
    }
}

TEST_CASE("an interface's own errors go through") {
    Harness harness;
    RawClient client{harness};
    const auto reply = client.call("Print", R"({"sheets":3})");
    CHECK(reply.error == "org.example.demo.OutOfPaper");
    CHECK(reply.parameters.at("sheets").as_int64() == 3);
}

TEST_CASE("our defects say nothing of what went wrong, and the connection lives on") {
    Harness harness;
    RawClient client{harness};
    const std::pair<const char*, const char*> rows[] = {
        {"Crash", R"({"secret":"hf_secret"})"},
        {"Fail", R"({"kind":"internal","message":"hf_secret"})"},
        {"Lie", "{}"},
        {"Forget", "{}"},
    };
    for (const auto& [method, parameters] : rows) {
        CAPTURE(method);
        const auto reply = client.call(method, parameters);
        CHECK(reply.error == "org.wharf.Internal");
        CHECK(boost::json::serialize(reply.parameters).find("secret") == std::string::npos);
        CHECK_FALSE(reply.parameters.at("message").as_string().empty());
    }
    CHECK(client.call("Ping", R"({"text":"x"})").error.empty());
}

TEST_CASE("text that is not UTF-8 does not break an error") {
    const auto reply = wharf::service::error_reply(
        wharf::Error{wharf::ErrorKind::storage, "reading caf\xe9: no space"});
    CHECK(wharf::protocol::decode_reply(std::string_view{wharf::protocol::encode(reply)}.substr(
                                            0, wharf::protocol::encode(reply).size() - 1))
              .has_value());
}

TEST_CASE("rows must fit the definitions") {
    wharf::service::Dispatcher dispatcher{wharf::service::wharf_service()};
    CHECK_THROWS_AS(dispatcher.add_interface("interface broken"), wharf::Error);
    const auto handler = [](wharf::service::Call& call) { return call.reply(); };
    CHECK_THROWS_AS(dispatcher.add({"org.example.demo.Ping", handler}), wharf::Error);
    dispatcher.add_interface("interface a.b\nmethod M() -> ()");
    CHECK_THROWS_AS(dispatcher.add({"a.b.N", handler}), wharf::Error);
    dispatcher.add({"a.b.M", handler});
    CHECK_FALSE(dispatcher.takes_descriptors());
}
