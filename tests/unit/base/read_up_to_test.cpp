#include "base/read_up_to.hpp"
#include "base/unique_fd.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>

using namespace wharf;

namespace {

UniqueFd file_of(std::string_view text) {
    UniqueFd file{adopt_fd, ::memfd_create("text", MFD_CLOEXEC)};
    REQUIRE(::write(file.value(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    REQUIRE(::lseek(file.value(), 0, SEEK_SET) == 0);
    return file;
}

} // namespace

TEST_CASE("a short file is read whole, a longer one up to the limit") {
    const auto file = file_of("four words of text");
    CHECK(read_up_to(file.value(), 4) == "four");
    CHECK(read_up_to(file.value(), 100) == " words of text");
    CHECK(read_up_to(file.value(), 100) == "");
    CHECK(read_up_to(file.value(), 0) == "");
}

TEST_CASE("what comes in pieces is read to its end") {
    int ends[2] = {};
    REQUIRE(::pipe2(static_cast<int*>(ends), O_CLOEXEC | O_DIRECT) == 0); // a read gets one write
    const UniqueFd out{adopt_fd, ends[0]};
    {
        const UniqueFd in{adopt_fd, ends[1]};
        REQUIRE(::write(in.value(), "one ", 4) == 4);
        REQUIRE(::write(in.value(), "two", 3) == 3);
    }
    CHECK(read_up_to(out.value(), 100) == "one two");
}

TEST_CASE("what cannot be read is told by errno") {
    const UniqueFd folder{adopt_fd, ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    CHECK_FALSE(read_up_to(folder.value(), 10));
    CHECK(errno == EISDIR);
}
