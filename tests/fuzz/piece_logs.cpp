// The log of the pieces of an unfinished blob, as whoever has written to the disk left it. The
// input begins with one byte: what is damaged how. Promises: a log that is opened has as many
// pieces as the blob, and what is recorded in it is there when it is opened again.

#include "daemon/store/piece_log.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/support/temp_dir.hpp"

#include <fstream>

namespace wharf::fuzz {

namespace {

using store::PieceLog;

constexpr std::string_view name = "x.pieces";
constexpr std::string_view etag = "1234567890abcdef1234567890abcdef12345678";
constexpr std::uint64_t size = 100'000;
constexpr std::uint64_t piece_size = 4096;

struct Place {
    test::TempDir folder;
    std::shared_ptr<const store::Directory> directory =
        std::make_shared<store::Directory>(folder.path());
    std::filesystem::path file = folder / name;
};

std::optional<PieceLog> open(const Place& place) {
    return PieceLog::open(place.directory, std::string{name}, etag, size);
}

void write_file(const Place& place, std::string_view bytes) {
    std::ofstream out{place.file, std::ios::binary | std::ios::trunc};
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// A proper log with every third piece, then each three bytes of damage: where, and what is there.
void write_damaged(const Place& place, std::string_view damage) {
    auto log = PieceLog::create(place.directory, std::string{name}, etag, size, piece_size);
    for (std::size_t i = 0; i < log.count(); i += 3) {
        log.record(i, i * 0x9e37'79b9);
    }
    std::fstream file{place.file, std::ios::binary | std::ios::in | std::ios::out};
    while (damage.size() >= 3) {
        const auto high = static_cast<unsigned char>(damage[0]);
        const auto low = static_cast<unsigned char>(damage[1]);
        file.seekp((high % 4) * 256 + low);
        file.put(damage[2]);
        damage.remove_prefix(3);
    }
}

void check_opened(const Place& place, PieceLog log) {
    const std::uint64_t pieces = (size + log.piece_size() - 1) / log.piece_size();
    require(log.count() == pieces, "a log has as many pieces as the blob");
    const std::size_t last = log.count() - 1;
    const bool other = log.count() > 1 && log.has(0);
    log.record(last, 42);
    auto again = open(place);
    require(again && again->has(last) && again->checksum(last) == 42, "what is recorded is there");
    require(log.count() == 1 || again->has(0) == other, "other pieces are left alone");
    again->forget(last);
    const auto third = open(place);
    require(third && !third->has(last), "what is forgotten is gone");
}

} // namespace

void run(std::string_view input) {
    static const Place place;
    if (input.empty()) {
        return;
    }
    const char kind = input.front();
    input.remove_prefix(1);
    if (kind == 'f') { // the file itself
        write_file(place, input);
    } else {
        write_damaged(place, input);
        if (kind == 't') { // and torn off
            std::filesystem::resize_file(place.file, input.size() % 1024);
        }
    }
    const MemoryLimit limit{64 << 10};
    if (auto log = open(place)) {
        check_opened(place, *std::move(log));
    }
}

} // namespace wharf::fuzz
