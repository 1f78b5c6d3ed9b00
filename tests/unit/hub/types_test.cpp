#include "daemon/hub/types.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace wharf::hub;
using wharf::ErrorKind;

TEST_CASE("repo types have names and come back from them") {
    for (const RepoType type : {RepoType::model, RepoType::dataset, RepoType::space}) {
        CHECK(repo_type_from(name(type)) == type);
    }
    CHECK(name(RepoType::dataset) == "dataset");
    CHECK_FALSE(repo_type_from("models"));
    CHECK_FALSE(repo_type_from("kernel"));
    CHECK_FALSE(repo_type_from(""));
}

TEST_CASE("repo names are checked as the official client checks them") {
    const std::string longest(96, 'a');
    for (const std::string& good :
         {std::string{"gpt2"}, std::string{"org/name"}, std::string{"Org-1/Na.me_2-b"},
          std::string{"_x/x_"}, std::string{"a/b"}, longest, longest + "/" + longest,
          std::string{"a-_-b/c"}, std::string{"x.gitx"}}) {
        CAPTURE(good);
        const auto parsed = RepoId::parse(RepoType::dataset, good);
        REQUIRE(parsed.has_value());
        CHECK(parsed->name == good);
        CHECK(parsed->type == RepoType::dataset);
    }
    for (const std::string& bad :
         {std::string{""},        std::string{"/"},      std::string{"a/"},
          std::string{"/a"},      std::string{"a/b/c"},  std::string{"a//b"},
          std::string{"a b"},     std::string{"a/b\n"},  std::string{"a--b"},
          std::string{"a/b..c"},  std::string{".."},     std::string{"a/.."},
          std::string{"../a"},    std::string{"."},      std::string{".a"},
          std::string{"a."},      std::string{"-a/b"},   std::string{"a-/b"},
          std::string{"a/-b"},    std::string{"a/b-"},   std::string{"a/b.git"},
          std::string{"b.git"},   std::string{"a/b%2F"}, std::string{"a?b"},
          std::string{"a#b"},     std::string{"a@main"}, std::string{"\xc3\xa9/b"},
          std::string{"a\0b", 3}, longest + "a",         "org/" + longest + "a",
          longest + "a/b"}) {
        CAPTURE(bad);
        const auto parsed = RepoId::parse(RepoType::model, bad);
        REQUIRE(parsed.has_error());
        CHECK(parsed.error().kind() == ErrorKind::invalid_request);
        CHECK_FALSE(parsed.error().hint().empty());
    }
}

TEST_CASE("the broken rule of a repo name is named") {
    const auto rule = [](const char* bad) {
        return RepoId::parse(RepoType::model, bad).error().message();
    };
    CHECK(rule("a/b/c") == "'a/b/c' is not a repo's name: it has more than one '/'");
    CHECK(rule("a--b").find("'--'") != std::string::npos);
    CHECK(rule("a.git").find("'.git'") != std::string::npos);
    CHECK(rule("a\nb").find("'a\\x0ab'") != std::string::npos);
}

TEST_CASE("repo ids compare by type and name") {
    const RepoId model{RepoType::model, "a/b"};
    const RepoId dataset{RepoType::dataset, "a/b"};
    CHECK(model != dataset);
    CHECK(model < dataset);
    CHECK(model == RepoId{RepoType::model, "a/b"});
}

TEST_CASE("revisions are what may be a path below refs/") {
    for (const std::string& good :
         {std::string{"main"}, std::string{"refs/pr/1"}, std::string{"v1.0"}, std::string{"dev/x"},
          std::string(40, 'a'), std::string(250, 'x'), std::string{"r\xc3\xa9vision"},
          std::string{"..a"}, std::string{"a..b"}, std::string{"with space"}}) {
        CAPTURE(good);
        const auto parsed = parse_revision(good);
        REQUIRE(parsed.has_value());
        CHECK(*parsed == good);
    }
    for (const std::string& bad :
         {std::string{""}, std::string{"."}, std::string{".."}, std::string{"/main"},
          std::string{"main/"}, std::string{"a//b"}, std::string{"a/../b"}, std::string{"a/."},
          std::string{"../../etc/passwd"}, std::string{"a\nb"}, std::string{"a\x7f"},
          std::string{"a\0b", 3}, std::string{"\xff"}, std::string(251, 'x')}) {
        CAPTURE(bad);
        const auto parsed = parse_revision(bad);
        REQUIRE(parsed.has_error());
        CHECK(parsed.error().kind() == ErrorKind::invalid_request);
    }
}

TEST_CASE("a token's copies share one text, which the last one wipes") {
    const char* place = nullptr;
    {
        const Token one{"hf_shared_secret"};
        {
            const Token copy = one;
            CHECK(copy == one);
            CHECK(copy.reveal().data() == one.reveal().data());
        }
        place = one.reveal().data();
        CHECK(one.reveal() == "hf_shared_secret");
        CHECK(one == Token{"hf_shared_secret"});
        CHECK_FALSE(one == Token{"hf_shared_secreT"});
        CHECK_FALSE(one == Token{});
    }
    CHECK(std::string_view{place, 16} == std::string(16, '\0')); // locked pages stay mapped
    CHECK(Token{}.empty());
    CHECK(Token{""}.empty());
    CHECK(Token{""} == Token{});
    CHECK(Token{}.reveal().empty());
}
