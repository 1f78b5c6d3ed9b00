#include "protocol/definitions.hpp"
#include "protocol/error_names.hpp"
#include "protocol/interface.hpp"
#include "tests/support/golden.hpp"

#include <doctest/doctest.h>

#include <string>

using wharf::protocol::Interface;
using wharf::protocol::Type;
using Kind = Type::Kind;

namespace {

Interface parse(const std::string& text) {
    auto result = Interface::parse(text);
    REQUIRE_MESSAGE(result.has_value(), result.error().message());
    return std::move(*result);
}

} // namespace

TEST_CASE("all forms of types are understood") {
    const Interface parsed = parse(R"(# A comment before.
interface org.example.more

type Colour (red, green, dark_blue)
type Empty ()
type All (
  a: bool, b: int, c: float, d: string, e: object, f: any,   # and one behind
  g: ?Colour, h: []int, i: [string]Empty, j: ?[]?[string][]Colour,
  k: (x: int, y: ?(near, far)), l: [string]()
)
method Do(all: All, other: ?All) -> ()
error Wrong (why: string)
)");
    CHECK(parsed.name() == "org.example.more");
    REQUIRE(parsed.types().size() == 3);
    CHECK(parsed.find_type("Colour")->words ==
          std::vector<std::string>{"red", "green", "dark_blue"});
    CHECK(parsed.find_type("Empty")->kind == Kind::structure);
    const auto& fields = parsed.find_type("All")->fields;
    REQUIRE(fields.size() == 12);
    const Kind kinds[] = {Kind::boolean, Kind::integer, Kind::floating,  Kind::string,
                          Kind::object,  Kind::any,     Kind::named,     Kind::array,
                          Kind::map,     Kind::array,   Kind::structure, Kind::map};
    for (std::size_t i = 0; i < fields.size(); ++i) {
        CAPTURE(fields[i].name);
        CHECK(fields[i].type.kind == kinds[i]);
        CHECK(fields[i].type.optional == (i == 6 || i == 9));
    }
    const Type& nested = fields[9].type.element.front();
    CHECK(nested.optional);
    CHECK(nested.kind == Kind::map);
    CHECK(nested.element.front().element.front().name == "Colour");
    CHECK(fields[10].type.fields[1].type.words.size() == 2);
    const auto* method = parsed.find_method("Do");
    REQUIRE(method != nullptr);
    CHECK(method->input.fields.size() == 2);
    CHECK(method->output.fields.empty());
    CHECK(parsed.find_error("Wrong")->fields.size() == 1);
    CHECK(parsed.find_method("Wrong") == nullptr);
    CHECK(parsed.find_error("Do") == nullptr);
    CHECK(parsed.find_type("Do") == nullptr);
}

TEST_CASE("blanks and comments may stand anywhere, or nowhere") {
    for (const char* text : {
             "interface a.b\nmethod M(x:int,y:?[]string)->(z:(p,q))",
             "interface a.b # c\n\n\tmethod\nM # c (\n(\nx # c\n:\r\nint,y:? [] "
             "string\n)\n->\n(z:(p,q)\n)#",
             "#\n#\ninterface a.b method M ( x : int , y : ?[] string ) -> ( z : ( p , q ) ) \t\n",
         }) {
        CAPTURE(text);
        const Interface parsed = parse(text);
        const auto* method = parsed.find_method("M");
        REQUIRE(method != nullptr);
        CHECK(method->input.fields.size() == 2);
        CHECK(method->output.fields[0].type.words.size() == 2);
        CHECK(parsed.text() == text);
    }
}

TEST_CASE("interface names are in reverse-domain form") {
    for (const char* good :
         {"a.b", "org.wharf", "org.example-site.v2", "xn--abc.d", "a.0", "A.B"}) {
        CAPTURE(good);
        CHECK(Interface::parse(std::string{"interface "} + good).has_value());
    }
    for (const char* bad :
         {"", "org", ".a", "a.", "a..b", "0.a", "-a.b", "a-.b", "a.-b", "a.b-", "a_b.c", "a.b!"}) {
        CAPTURE(bad);
        CHECK(Interface::parse(std::string{"interface "} + bad).has_error());
    }
}

TEST_CASE("mistakes are refused and their line is named") {
    const struct {
        const char* name;
        const char* text;
        const char* line;
    } rows[] = {
        {"nothing", "", "line 1"},
        {"no header", "method M() -> ()", "line 1"},
        {"unknown keyword", "interface a.b\nfunction F() -> ()", "line 2"},
        {"small method name", "interface a.b\nmethod m() -> ()", "line 2"},
        {"underscore in a type name", "interface a.b\ntype A_b (x: int)", "line 2"},
        {"no output", "interface a.b\nmethod M()", "line 2"},
        {"half an arrow", "interface a.b\nmethod M() - ()", "line 2"},
        {"enum as input", "interface a.b\nmethod M(a, b) -> ()", "line 2"},
        {"enum as error", "interface a.b\nerror E (a, b)", "line 2"},
        {"open structure", "interface a.b\ntype T (x: int", "line 2"},
        {"comma at the end", "interface a.b\ntype T (x: int,)", "line 2"},
        {"comma at the end of an enum", "interface a.b\ntype T (x,)", "line 2"},
        {"no comma", "interface a.b\ntype T (x: int y: int)", "line 2"},
        {"no type", "interface a.b\ntype T (x:)", "line 2"},
        {"fields with and without types", "interface a.b\ntype T (x: int, y)", "line 2"},
        {"fields without and with types", "interface a.b\ntype T (x, y: int)", "line 2"},
        {"optional twice", "interface a.b\ntype T (x: ??int)", "line 2"},
        {"map from numbers", "interface a.b\ntype T (x: [int]string)", "line 2"},
        {"array of nothing", "interface a.b\ntype T (x: [])", "line 2"},
        {"a name for a plain type", "interface a.b\ntype T int", "line 2"},
        {"field begins with a digit", "interface a.b\ntype T (0x: int)", "line 2"},
        {"field ends with an underscore", "interface a.b\ntype T (x_: int)", "line 2"},
        {"two underscores", "interface a.b\ntype T (x__y: int)", "line 2"},
        {"unknown plain type", "interface a.b\ntype T (x: integer)", "line 2"},
        {"unknown named type", "interface a.b\ntype T (x: []?Other)\n\n", "no type \"Other\""},
        {"unknown in an output", "interface a.b\nmethod M() -> (x: Other)", "no type \"Other\""},
        {"unknown in an error", "interface a.b\nerror E (x: (y: Other))", "no type \"Other\""},
        {"field twice", "interface a.b\n\ntype T (x: int,\n x: int)", "line 4"},
        {"word twice", "interface a.b\ntype T (x, y, x)", "line 2"},
        {"type twice", "interface a.b\ntype T ()\ntype T ()", "line 3"},
        {"one name for two things", "interface a.b\ntype T ()\nmethod T() -> ()", "line 3"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.name);
        const auto result = Interface::parse(row.text);
        REQUIRE(result.has_error());
        CHECK(result.error().kind() == wharf::ErrorKind::invalid_request);
        CHECK_MESSAGE(result.error().message().find(row.line) != std::string::npos,
                      result.error().message());
    }
}

TEST_CASE("a definition cannot use up the stack") {
    std::string text = "interface a.b\ntype T (x: ";
    for (int i = 0; i < 100'000; ++i) {
        text += "[]";
    }
    CHECK(Interface::parse(text + "int)").has_error());
}

TEST_CASE("our own definitions are good, and are served as their files are") {
    const auto texts = wharf::protocol::definitions();
    REQUIRE(texts.size() == 7);
    for (const std::string_view text : texts) {
        const Interface parsed = parse(std::string{text});
        CAPTURE(parsed.name());
        CHECK(text == wharf::test::source_file("protocol/" + parsed.name() + ".varlink"));
        CHECK(parsed.text() == text);
    }
    CHECK(parse(std::string{texts[0]}).name() == "org.varlink.service");
    CHECK_FALSE(wharf::protocol::version().empty());
}

TEST_CASE("every kind of error is defined, with a message and a hint") {
    const Interface standard = parse(std::string{wharf::protocol::definitions()[0]});
    const Interface wharf_errors = parse(std::string{wharf::protocol::definitions()[1]});
    REQUIRE(wharf_errors.name() == "org.wharf");
    for (int i = 0; i <= static_cast<int>(wharf::ErrorKind::internal); ++i) {
        const auto name = wharf::protocol::error_name(static_cast<wharf::ErrorKind>(i));
        CAPTURE(name);
        const Type* type = wharf_errors.find_error(name.substr(name.rfind('.') + 1));
        REQUIRE(type != nullptr);
        REQUIRE(type->fields.size() == 2);
        CHECK(type->fields[0].name == "message");
        CHECK(type->fields[1].name == "hint");
    }
    for (const std::string_view name :
         {wharf::protocol::interface_not_found, wharf::protocol::method_not_found,
          wharf::protocol::method_not_implemented, wharf::protocol::invalid_parameter,
          wharf::protocol::expected_more}) {
        CHECK(standard.find_error(name.substr(name.rfind('.') + 1)) != nullptr);
    }
}

TEST_CASE("an enumeration has two words at least, for readers that take one for a structure") {
    // Known of the Python package: "(download)" is a syntax error to it.
    const auto check = [](const auto& self, const Type& type) -> void {
        if (type.kind == Kind::enumeration) {
            CHECK(type.words.size() >= 2);
        }
        for (const auto& field : type.fields) {
            self(self, field.type);
        }
        for (const auto& element : type.element) {
            self(self, element);
        }
    };
    for (const std::string_view text : wharf::protocol::definitions()) {
        const Interface parsed = parse(std::string{text});
        for (const auto& type : parsed.types()) {
            check(check, type.type);
        }
        for (const auto& method : parsed.methods()) {
            check(check, method.input);
            check(check, method.output);
        }
    }
}
