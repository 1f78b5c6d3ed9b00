#include "daemon/store/catalogue.hpp"
#include "daemon/store/shelf.hpp"
#include "tests/unit/store/fixture.hpp"

#include <fmt/format.h>

#include <chrono>

// Figures for people to read: nothing here fails for being slow.

namespace fs = std::filesystem;
using namespace wharf::test;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int many = 10'000;

double microseconds(Clock::duration duration) {
    return std::chrono::duration<double, std::micro>(duration).count();
}

} // namespace

TEST_CASE("10,000 warm files are brought in quickly") {
    StoreFixture f;
    f.store();
    f.close();
    // The cache of a program that wrote many small files; taken for verified to save the hashing.
    wharf::store::Entries wanted;
    {
        const wharf::store::Directory cache{f.cache()};
        wharf::store::Catalogue catalogue{f.state() / "catalogue.db",
                                          wharf::store::stamp_of(cache.fd()).device};
        auto transaction = catalogue.begin(wharf::sqlite::Transaction::Kind::write);
        const auto blobs = cache.make("models--org--name/blobs");
        for (int i = 0; i < many; ++i) {
            const std::string content = std::to_string(i);
            wanted.push_back(entry(fmt::format("data/{:02}/{:05}.txt", i / 500, i), content));
            write(f.repo() / "blobs" / wanted.back().etag(), content);
            catalogue.record_verified(wanted.back().etag(), "models--org--name",
                                      blobs.look(wanted.back().etag())->stamp);
        }
        transaction.commit();
    }
    auto time = Clock::now();
    f.store();
    const auto opened = Clock::now() - time;
    time = Clock::now();
    CHECK(f.bring_in(model, commit_a, wanted).missing.empty());
    const auto cold = Clock::now() - time;
    time = Clock::now();
    f.finish(model, commit_a, "main");
    const auto finished = Clock::now() - time;
    time = Clock::now();
    CHECK(f.bring_in(model, commit_a, wanted).missing.empty());
    const auto warm = Clock::now() - time;
    time = Clock::now();
    CHECK(f.bring_in(other, commit_a, wanted).missing.empty());
    const auto shared = Clock::now() - time;
    constexpr int rounds = 1000;
    time = Clock::now();
    for (int i = 0; i < rounds; ++i) {
        f.bring_in(model, commit_a, {wanted[static_cast<std::size_t>(i * 7)]});
    }
    const auto single = (Clock::now() - time) / rounds;
    time = Clock::now();
    for (int i = 0; i < rounds; ++i) {
        f.finish(model, commit_a, "main");
    }
    const auto again = (Clock::now() - time) / rounds;
    f.close();
    const wharf::store::Directory cache{f.cache()};
    wharf::store::Staging staging{cache, std::chrono::days{7}};
    wharf::store::Catalogue catalogue{f.state() / "catalogue.db",
                                      wharf::store::stamp_of(cache.fd()).device};
    wharf::store::Shelf shelf{cache, staging, catalogue};
    time = Clock::now();
    for (int i = 0; i < rounds; ++i) {
        shelf.bring_in("models--org--name", commit_a, {wanted[static_cast<std::size_t>(i * 7)]});
    }
    const auto alone = (Clock::now() - time) / rounds;
    MESSAGE(fmt::format(
        "opening {:.0f} us; {} files: new pointers {:.0f} us, durable {:.0f} us, warm {:.0f} us, "
        "linked to another repo {:.0f} us; one warm file {:.1f} us, finishing again {:.1f} us (all "
        "with the way to the other thread and back; without it one warm file takes {:.1f} us)",
        microseconds(opened), many, microseconds(cold), microseconds(finished), microseconds(warm),
        microseconds(shared), microseconds(single), microseconds(again), microseconds(alone)));
}
