#pragma once

#include "base/unique_fd.hpp"
#include "daemon/store/directory.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wharf::store {

/// Says on disk which pieces of an unfinished blob are there, and with what checksum: a header,
/// then one slot per piece. Recording is one small write without a flush: the page cache carries it
/// over the death of the process, and after a power failure a slot may promise bytes that are gone,
/// which their checksum shows. Nothing read from it is trusted: what is torn or belongs to another
/// blob counts as not there.
class PieceLog {
  public:
    /// More pieces than this make the log itself too large; create() enlarges the pieces then.
    static constexpr std::uint64_t most_pieces = 1 << 20;

    /// Makes an empty log, its space reserved; replaces whatever has the name. Throws no_space and
    /// storage Errors. Requires: size > piece_size > 0.
    static PieceLog create(std::shared_ptr<const Directory> folder, std::string name,
                           std::string_view etag, std::uint64_t size, std::uint64_t piece_size);

    /// The log of a blob of this size; none if there is none or it makes no sense.
    static std::optional<PieceLog> open(std::shared_ptr<const Directory> folder, std::string name,
                                        std::string_view etag, std::uint64_t size);

    std::uint64_t piece_size() const noexcept { return piece_size_; }
    std::size_t count() const noexcept { return slots_.size(); }

    bool has(std::size_t index) const noexcept;
    std::uint64_t checksum(std::size_t index) const noexcept { return slots_[index].checksum; }

    /// Both may be called from several threads at once for different pieces. Throw storage Errors.
    void record(std::size_t index, std::uint64_t checksum);
    void forget(std::size_t index);

    /// Makes durable what was recorded. Throws storage Errors.
    void sync();

    /// Removes it from the disk: what is recorded later is lost.
    void remove() noexcept;

  private:
    /// All zeros: not there. The mark makes a slot of which only a part was written invalid.
    struct Slot {
        std::uint64_t checksum = 0;
        std::uint64_t mark = 0;
    };
    struct Header;

    PieceLog(std::shared_ptr<const Directory> folder, std::string name, UniqueFd fd,
             std::uint64_t piece_size, std::size_t count);
    std::string path() const { return folder_->path_of(name_); }
    static std::uint64_t mark_of(std::size_t index, std::uint64_t checksum) noexcept;
    void put(std::size_t index, Slot slot);
    bool read_slots();
    void write(std::uint64_t offset, std::span<const std::byte> data);

    std::shared_ptr<const Directory> folder_;
    std::string name_;
    UniqueFd fd_;
    std::uint64_t piece_size_;
    std::vector<Slot> slots_;
};

} // namespace wharf::store
