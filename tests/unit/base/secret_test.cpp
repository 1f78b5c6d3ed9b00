#include "base/secret.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

using wharf::Secret;

namespace {

/// What the kernel says of the memory that holds an address: the flags of its line in smaps.
std::string flags_at(const void* address) {
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    std::ifstream maps{"/proc/self/smaps"};
    bool inside = false;
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
            inside = begin <= wanted && wanted < end;
        } else if (inside && line.starts_with("VmFlags:")) {
            return line + " ";
        }
    }
    return {};
}

} // namespace

TEST_CASE("a secret is what it was made of, and moves") {
    Secret one{"hf_secret"};
    CHECK(one.view() == "hf_secret");
    const char* place = one.view().data();
    Secret other = std::move(one);
    CHECK(other.view() == "hf_secret");
    CHECK(other.view().data() == place);
    CHECK(one.empty());
    one = Secret{"next"};
    CHECK(one.view() == "next");
    CHECK(Secret{}.empty());
    CHECK(Secret{""}.view().empty());
}

TEST_CASE("secrets are equal when all of their bytes are") {
    const Secret one{"hf_a"};
    CHECK(one == Secret{"hf_a"});
    CHECK_FALSE(one == Secret{"hf_b"});
    CHECK_FALSE(one == Secret{"hf_ab"});
    CHECK_FALSE(one == Secret{});
    CHECK(Secret{} == Secret{});
}

TEST_CASE("its memory stays out of dumps and, where that is permitted, of swap") {
    const Secret secret{"hf_secret"};
    const auto memory = wharf::secret_memory();
    const std::string flags = flags_at(secret.view().data());
    CHECK((flags.find(" dd ") != std::string::npos) == memory.is_hidden);
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer) // they lock nothing
    CHECK((flags.find(" lo ") != std::string::npos) == memory.is_locked);
#endif
    CHECK(memory.is_hidden);
    CHECK(memory.size >= 64 << 10);
}

TEST_CASE("a place is wiped when it is given back, and used again") {
    const char* place = nullptr;
    {
        const Secret secret{"hf_very_secret"};
        place = secret.view().data();
    }
    // The region stays mapped: what is there now may be looked at.
    CHECK(std::string_view(place, 14) == std::string_view("\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 14));
    const Secret next{"next"};
    CHECK(next.view().data() == place);
}

TEST_CASE("long secrets and more than the region holds have a place, too") {
    const std::string text(8 << 10, 'x');
    const Secret first{text};
    const Secret second{text};
    CHECK(first.view() == text);
    CHECK(second.view() == text);
    std::vector<Secret> many;
    for (int i = 0; i < 64; ++i) {
        many.emplace_back(text);
        CHECK(many.back().view() == text);
    }
    CHECK(flags_at(many.back().view().data()).find(" dd ") == std::string::npos);
    many.clear();
    const Secret last{"hf_last"};
    CHECK(flags_at(last.view().data()).find(" dd ") != std::string::npos);
}

TEST_CASE("a text that is wiped is gone") {
    std::string text = "hf_a_token_that_is_not_in_the_object_itself";
    const char* place = text.data();
    const std::size_t size = text.size();
    wharf::wipe(text);
    CHECK(text.empty());
    CHECK(std::string_view(place, size) == std::string(size, '\0')); // its capacity is kept
}
