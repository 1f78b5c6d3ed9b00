#include "base/piece_checksum.hpp"
#include "daemon/store/partials.hpp"
#include "tests/unit/store/fixture.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

// A child process brings a blob in four pieces and publishes it; it is killed at its first system
// call, at its second, and so on until it comes through. After each, whoever goes on finds what was
// recorded, and nothing that is not there.

namespace fs = std::filesystem;
using namespace wharf::test;
using wharf::store::Directory;
using wharf::store::PartialFile;
using wharf::store::Partials;
using wharf::store::Space;

namespace {

const std::string etag(64, 'e');
constexpr std::size_t pieces = 4;
constexpr std::uint64_t size = pieces * piece_size - 5;

std::string piece(std::size_t index) {
    return std::string(static_cast<std::size_t>(std::min(piece_size, size - index * piece_size)),
                       static_cast<char>('a' + index));
}

std::uint64_t checksum(std::string_view data) {
    wharf::PieceChecksum sum;
    sum.update(std::as_bytes(std::span{data}));
    return sum.value();
}

std::unique_ptr<PartialFile> open(const fs::path& home) {
    const auto folder = std::make_shared<Directory>(home / "staging");
    return Partials{folder, Space{home, 0}}.open(etag, size, piece_size);
}

/// `recorded` counts along.
void bring(const fs::path& home, std::size_t& recorded) {
    const auto file = open(home);
    for (std::size_t i = 0; i < pieces; ++i) {
        file->write_at(i * piece_size, std::as_bytes(std::span{std::string_view{piece(i)}}));
        file->record_piece(i, checksum(piece(i)));
        recorded = i + 1;
        if (i == 1) {
            file->sync_progress();
        }
    }
    file->seal();
    [[maybe_unused]] const bool moved = file->move_to(Directory{home / "blobs"});
}

/// False when the child came to its end before its system call number `steps`.
bool kill_at(const fs::path& home, int steps, std::size_t& recorded) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        ::raise(SIGSTOP);
        bring(home, recorded);
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    for (int step = 0; step < steps && WIFSTOPPED(status); ++step) {
        if (::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr) != 0) {
            break;
        }
        REQUIRE(::waitpid(child, &status, 0) == child);
    }
    const bool killed = WIFSTOPPED(status);
    if (killed) {
        ::kill(child, SIGKILL);
        REQUIRE(::waitpid(child, &status, 0) == child);
    }
    return killed;
}

bool may_trace() {
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 ? 0 : 1);
    }
    int status = 0;
    return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

/// How many pieces are recorded; all of them must be there.
std::size_t check_pieces(const fs::path& home) {
    const auto file = open(home);
    std::size_t count = 0;
    for (std::size_t i = 0; i < pieces; ++i) {
        if (file->has_piece(i)) {
            std::string data = piece(i);
            file->read_at(i * piece_size, std::as_writable_bytes(std::span{data}));
            CHECK(data == piece(i));
            CHECK(file->piece_checksum(i) == checksum(data));
            ++count;
        }
    }
    return count;
}

/// A number that a child process can count in.
class Shared {
  public:
    Shared()
        : value_{
              static_cast<std::size_t*>(::mmap(nullptr, sizeof(std::size_t), PROT_READ | PROT_WRITE,
                                               MAP_SHARED | MAP_ANONYMOUS, -1, 0))} {}
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
    ~Shared() { ::munmap(value_, sizeof(std::size_t)); }
    std::size_t& operator*() const noexcept { return *value_; }

  private:
    std::size_t* value_;
};

std::string whole() {
    std::string all;
    for (std::size_t i = 0; i < pieces; ++i) {
        all += piece(i);
    }
    return all;
}

} // namespace

TEST_CASE("killed between any two steps, what was recorded is there and the rest can be done") {
    if (!may_trace()) {
        MESSAGE("not run: tracing is not allowed here");
        return;
    }
    const Shared recorded;
    int steps = 1;
    for (bool killed = true; killed; ++steps) {
        CAPTURE(steps);
        const TempDir home;
        fs::create_directories(home / "staging");
        fs::create_directories(home / "blobs");
        *recorded = 0;
        killed = kill_at(home.path(), steps, *recorded);
        remove_unusable(std::make_shared<Directory>(home / "staging"), std::chrono::days{7});
        if (!fs::exists(home / "blobs" / etag)) {
            CHECK(killed);
            const auto count = check_pieces(home.path());
            CHECK(count >= *recorded);
            CHECK(count <= *recorded + 1);
            bring(home.path(), *recorded);
        }
        CHECK(read(home / "blobs" / etag) == whole());
        CHECK(fs::is_empty(home / "staging"));
    }
    CHECK(*recorded == pieces);
    CHECK(steps > 40);
    MESSAGE("killed at " << steps << " places");
}

TEST_CASE(
    "a log ahead of its data is found out by the checksum, data ahead of its log is not used") {
    const TempDir home;
    fs::create_directories(home / "staging");
    {
        const auto file = open(home.path());
        file->record_piece(0, checksum(piece(0))); // the write was lost with the power
        file->write_at(piece_size, std::as_bytes(std::span{std::string_view{piece(1)}}));
    }
    const auto file = open(home.path());
    REQUIRE(file->has_piece(0));
    std::string data(piece_size, '?');
    file->read_at(0, std::as_writable_bytes(std::span{data}));
    CHECK(file->piece_checksum(0) != checksum(data));
    CHECK_FALSE(file->has_piece(1));
}
