#include "daemon/transfer/askers.hpp"

#include <doctest/doctest.h>

using wharf::Error;
using wharf::ErrorKind;
using wharf::hub::FileSource;
using wharf::hub::RepoType;
using wharf::hub::Token;
using wharf::transfer::Askers;

namespace {

FileSource source(const char* repo, const char* token) {
    return {{RepoType::model, repo}, std::string(40, 'c'), "f", Token{token}};
}

} // namespace

TEST_CASE("we ask in the name of the first one, and of the next when he leaves") {
    Askers askers;
    CHECK(askers.lead() == nullptr);
    const auto alice = askers.add(source("org/a", "alice"));
    const auto bob = askers.add(source("org/b", "bob"));
    const auto carol = askers.add(source("org/c", "carol"));
    CHECK(askers.lead()->repo.name == "org/a");
    CHECK_FALSE(askers.leave(bob));
    CHECK(askers.lead()->repo.name == "org/a");
    CHECK(askers.leave(alice));
    CHECK(askers.lead()->repo.name == "org/c");
    CHECK(askers.leave(carol));
    CHECK(askers.empty());
}

TEST_CASE("one who may ask goes before those who may not") {
    Askers askers;
    const auto alice = askers.add(source("org/a", "alice"));
    const auto bob = askers.add(source("org/b", "bob"));
    const auto is_bob = [](const FileSource& asker) { return asker.token == Token{"bob"}; };
    CHECK(askers.put_first(is_bob));
    CHECK(askers.lead()->repo.name == "org/b");
    CHECK_FALSE(askers.leave(alice));
    askers.refuse(bob->source, Error{ErrorKind::gated, "no"});
    CHECK_FALSE(askers.put_first(is_bob)); // who was refused is not asked for
    CHECK(askers.leave(bob) == false);
}

TEST_CASE("a refusal is for those who ask by the same repo and token") {
    Askers askers;
    const auto alice = askers.add(source("org/a", "alice"));
    const auto other_repo = askers.add(source("org/b", "alice"));
    const auto again = askers.add(source("org/a", "alice"));
    const auto bob = askers.add(source("org/a", "bob"));
    CHECK(askers.refuse(source("org/a", "alice"), Error{ErrorKind::unauthorized, "no"}));
    CHECK(alice->refusal);
    CHECK(again->refusal);
    CHECK_FALSE(other_repo->refusal);
    CHECK_FALSE(bob->refusal);
    CHECK(askers.lead() == &other_repo->source);
    CHECK_FALSE(askers.leave(alice));
    CHECK(askers.size() == 3);
}

TEST_CASE("the last one is refused like the others, and then there is nobody to ask for") {
    Askers askers;
    const auto alice = askers.add(source("org/a", "alice"));
    const auto bob = askers.add(source("org/b", "bob"));
    CHECK(askers.refuse(alice->source, Error{ErrorKind::gated, "no"}));
    CHECK_FALSE(bob->refusal);
    CHECK(askers.refuse(bob->source, Error{ErrorKind::gated, "no"}));
    CHECK(bob->refusal);
    CHECK(askers.lead() == nullptr);
    CHECK_THROWS_AS(askers.asking(), Error);
}

TEST_CASE("a missing revision or file is one asker's, whoever else asks by that repo") {
    for (const auto kind : {ErrorKind::revision_not_found, ErrorKind::file_not_found}) {
        Askers askers;
        const auto one = askers.add(source("org/a", ""));
        FileSource elsewhere = source("org/a", "");
        elsewhere.commit = std::string(40, 'd');
        const auto other = askers.add(elsewhere);
        elsewhere = source("org/a", "");
        elsewhere.path = "g";
        const auto another = askers.add(elsewhere);
        CHECK(askers.refuse(one->source, Error{kind, "no"}));
        CHECK(one->refusal);
        CHECK_FALSE(other->refusal);
        CHECK_FALSE(another->refusal);
    }
}

TEST_CASE("what says nothing about the asker refuses nobody") {
    for (const auto kind : {ErrorKind::network, ErrorKind::unavailable, ErrorKind::rate_limited,
                            ErrorKind::protocol, ErrorKind::no_space, ErrorKind::integrity}) {
        Askers askers;
        const auto alice = askers.add(source("org/a", "alice"));
        askers.add(source("org/b", "bob"));
        CAPTURE(wharf::name(kind));
        CHECK_FALSE(askers.refuse(alice->source, Error{kind, "no"}));
        CHECK_FALSE(alice->refusal);
    }
}

TEST_CASE("an account sees what it asked for itself, and nothing of others") {
    Askers askers;
    askers.add(source("org/a", "alice"), {.uid = 1});
    const auto bob = askers.add(source("org/b", "bob"), {.uid = 2});
    askers.add(source("org/c", "bob"), {.uid = 2});
    CHECK(askers.share_of(1).source->repo.name == "org/a");
    CHECK(askers.share_of(1).count == 1);
    CHECK(askers.share_of(2).source->repo.name == "org/b");
    CHECK(askers.share_of(2).count == 2);
    CHECK(askers.share_of(3).source == nullptr);
    CHECK(askers.share_of(3).count == 0);
    CHECK(askers.refuse(bob->source, Error{ErrorKind::gated, "no"}));
    CHECK(askers.share_of(2).source->repo.name == "org/c");
    CHECK(askers.share_of(2).count == 1);
}
