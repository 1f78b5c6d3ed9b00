#include "protocol/utf8.hpp"
#include "protocol/validate.hpp"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

#include <string>

using wharf::protocol::find_mismatch;
using wharf::protocol::Interface;

namespace {

const Interface& definition() {
    static const Interface parsed = Interface::parse(R"(interface org.example.check
type Colour (red, green)
type Point (x: int, y: ?int)
method Plain(b: ?bool, i: ?int, f: ?float, s: ?string, o: ?object, a: ?any) -> ()
method Must(name: string, point: Point, a: any) -> ()
method Deep(colour: ?Colour, list: ?[]Point, map: ?[string]Colour, sparse: ?[]?int) -> ()
)")
                                        .value();
    return parsed;
}

struct Row {
    const char* method;
    const char* parameters;
    const char* parameter; ///< that is to blame; null: none
    const char* detail;
};

void check(const Row& row) {
    CAPTURE(row.method);
    CAPTURE(row.parameters);
    const auto value = boost::json::parse(row.parameters);
    const auto mismatch = find_mismatch(definition(), definition().find_method(row.method)->input,
                                        value.get_object());
    REQUIRE(mismatch.has_value() == (row.parameter != nullptr));
    if (mismatch) {
        CHECK(mismatch->parameter == row.parameter);
        CHECK(mismatch->detail == row.detail);
    }
}

} // namespace

TEST_CASE("plain values") {
    const Row rows[] = {
        {"Plain", R"({})", nullptr, nullptr},
        {"Plain", R"({"b":null,"i":null,"f":null,"s":null,"o":null,"a":null})", nullptr, nullptr},
        {"Plain", R"({"b":true,"i":-1,"f":1.5,"s":"x","o":{"a":[1]},"a":[]})", nullptr, nullptr},
        {"Plain", R"({"i":9223372036854775807})", nullptr, nullptr},
        {"Plain", R"({"i":-9223372036854775808})", nullptr, nullptr},
        {"Plain", R"({"f":2})", nullptr, nullptr},
        {"Plain", R"({"f":18446744073709551615})", nullptr, nullptr},
        {"Plain", R"({"b":1})", "b", "b is not true or false"},
        {"Plain", R"({"b":"true"})", "b", "b is not true or false"},
        {"Plain", R"({"i":"1"})", "i", "i is not an integer"},
        {"Plain", R"({"i":1.5})", "i", "i is not an integer"},
        {"Plain", R"({"i":1.0})", "i", "i is not an integer"},
        {"Plain", R"({"i":1e3})", "i", "i is not an integer"},
        {"Plain", R"({"i":true})", "i", "i is not an integer"},
        {"Plain", R"({"i":9223372036854775808})", "i", "i is not an integer"},
        {"Plain", R"({"i":-9223372036854775809})", "i", "i is not an integer"},
        {"Plain", R"({"f":"1"})", "f", "f is not a number"},
        {"Plain", R"({"s":1})", "s", "s is not a string"},
        {"Plain", R"({"s":["x"]})", "s", "s is not a string"},
        {"Plain", R"({"o":[]})", "o", "o is not an object"},
        {"Plain", R"({"o":"{}"})", "o", "o is not an object"},
        {"Plain", R"({"x":1})", "x", "x is not known"},
        {"Plain", R"({"":1})", "", " is not known"},
        {"Plain", R"({"x":null})", "x", "x is not known"},
        {"Plain", R"({"B":true})", "B", "B is not known"},
    };
    for (const Row& row : rows) {
        check(row);
    }
}

TEST_CASE("what must be there") {
    const Row rows[] = {
        {"Must", R"({"name":"n","point":{"x":1},"a":1})", nullptr, nullptr},
        {"Must", R"({"name":"n","point":{"x":1,"y":null},"a":null})", nullptr, nullptr},
        {"Must", R"({"point":{"x":1},"a":1})", "name", "name is missing"},
        {"Must", R"({"name":null,"point":{"x":1},"a":1})", "name", "name is not a string"},
        {"Must", R"({"name":"n","a":1})", "point", "point is missing"},
        {"Must", R"({"name":"n","point":{"x":1}})", "a", "a is missing"},
        {"Must", R"({"name":"n","point":{},"a":1})", "point", "point.x is missing"},
        {"Must", R"({"name":"n","point":{"x":1,"z":2},"a":1})", "point", "point.z is not known"},
        {"Must", R"({"name":"n","point":[1],"a":1})", "point", "point is not an object"},
    };
    for (const Row& row : rows) {
        check(row);
    }
}

TEST_CASE("values in values") {
    const Row rows[] = {
        {"Deep", R"({"colour":"red","list":[],"map":{},"sparse":[]})", nullptr, nullptr},
        {"Deep", R"({"list":[{"x":1},{"x":2,"y":3}],"map":{"a":"green","":"red"}})", nullptr,
         nullptr},
        {"Deep", R"({"sparse":[1,null,3]})", nullptr, nullptr},
        {"Deep", R"({"colour":"blue"})", "colour", "colour is none of the words it can be"},
        {"Deep", R"({"colour":"Red"})", "colour", "colour is none of the words it can be"},
        {"Deep", R"({"colour":0})", "colour", "colour is none of the words it can be"},
        {"Deep", R"({"list":{"x":1}})", "list", "list is not an array"},
        {"Deep", R"({"list":[{"x":1},{"x":"2"}]})", "list", "list[1].x is not an integer"},
        {"Deep", R"({"list":[null]})", "list", "list[0] is not an object"},
        {"Deep", R"({"map":[]})", "map", "map is not an object"},
        {"Deep", R"({"map":{"k":"blue"}})", "map", "map.k is none of the words it can be"},
        {"Deep", R"({"sparse":[1,"x"]})", "sparse", "sparse[1] is not an integer"},
    };
    for (const Row& row : rows) {
        check(row);
    }
}

TEST_CASE("no string holds a NUL, wherever it is") {
    const Row rows[] = {
        {"Plain", R"({"s":"a\u0000b"})", "s", "s has a NUL character"},
        {"Plain", R"({"a":{"b":["\u0000"]}})", "a", "a.b[0] has a NUL character"},
        {"Plain", R"({"o":{"b":"\u0000"}})", "o", "o.b has a NUL character"},
        {"Plain", R"({"s":"\u0001"})", nullptr, nullptr},
    };
    for (const Row& row : rows) {
        check(row);
    }
    for (const char* text : {R"({"map":{"a\u0000":"red"}})"}) {
        const auto value = boost::json::parse(text);
        CHECK(find_mismatch(definition(), definition().find_method("Deep")->input,
                            value.get_object()));
    }
}

TEST_CASE("unsigned numbers of ours are integers, too") {
    const auto& plain = definition().find_method("Plain")->input;
    CHECK_FALSE(find_mismatch(definition(), plain, {{"i", std::size_t{5}}}));
    CHECK(find_mismatch(definition(), plain, {{"i", std::uint64_t{1} << 63}}));
}

TEST_CASE("what we say is UTF-8") {
    const boost::json::object bad{{"s", "caf\xe9"}};
    const auto mismatch =
        find_mismatch(definition(), definition().find_method("Plain")->input, bad);
    REQUIRE(mismatch);
    CHECK(mismatch->detail == "s is not UTF-8");
}

TEST_CASE("well-formed UTF-8 is told from other bytes") {
    using wharf::protocol::is_utf8;
    using wharf::protocol::to_utf8;
    for (const char* good : {"", "a", "caf\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\xb3",
                             "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"}) {
        CAPTURE(good);
        CHECK(is_utf8(good));
        CHECK(to_utf8(good) == good);
    }
    for (const char* bad : {"\x80", "\xc3", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xed\xa0\x80",
                            "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
                            "a\xe2\x82", "\xe2\x28\xa1"}) {
        CAPTURE(bad);
        CHECK_FALSE(is_utf8(bad));
        CHECK(is_utf8(to_utf8(bad)));
    }
    CHECK(to_utf8("a\xff"
                  "b") == "a\xef\xbf\xbd"
                          "b");
    CHECK(to_utf8("\xe2\x82") == "\xef\xbf\xbd\xef\xbf\xbd");
}
