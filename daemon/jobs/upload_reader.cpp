#include "daemon/jobs/upload_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace wharf::jobs {

namespace {

/// Opening a file and handing it to another thread costs more than to read so much.
constexpr std::uint64_t small_file = std::uint64_t{64} << 10;

/// Bytes, and files, that are read ahead.
constexpr std::uint64_t most_ahead = std::uint64_t{1} << 20;
constexpr std::size_t most_files_ahead = 64;

bool is_small(const PushChange& change) {
    return !change.staged.empty() && change.size <= small_file;
}

Error too_short(const PushChange& change) {
    return Error{ErrorKind::invalid_request,
                 fmt::format("'{}' became shorter while it was pushed", change.path),
                 "push it again when nobody writes to it"};
}

} // namespace

hub::ReadContent UploadWork::Reader::add(const std::shared_ptr<Reader>& self,
                                         const PushChange& change) {
    const std::size_t place = self->files_.size();
    self->files_.push_back(&change);
    return [self, place](std::uint64_t offset, std::span<std::byte> buffer) {
        return read(self, place, offset, buffer);
    };
}

Awaitable<std::size_t> UploadWork::Reader::read(std::shared_ptr<Reader> self, std::size_t place,
                                                std::uint64_t offset, std::span<std::byte> buffer) {
    std::size_t count = 0;
    if (is_small(*self->files_[place])) {
        count = co_await self->read_ahead(place, offset, buffer);
    } else {
        count = co_await self->read_large(place, offset, buffer);
    }
    co_return count;
}

Awaitable<std::size_t> UploadWork::Reader::read_ahead(std::size_t place, std::uint64_t offset,
                                                      std::span<std::byte> buffer) {
    if (!ahead_.contains(place)) {
        co_await fill(place);
    }
    const auto found = ahead_.find(place);
    const std::string& content = found->second;
    if (content.size() != files_[place]->size) {
        throw too_short(*files_[place]);
    }
    const auto count = std::min<std::uint64_t>(buffer.size(), content.size() - offset);
    std::memcpy(buffer.data(), content.data() + offset, count);
    if (offset + count == content.size()) {
        ahead_.erase(found);
    }
    co_return count;
}

/// Reads that file and small ones that follow it.
Awaitable<> UploadWork::Reader::fill(std::size_t place) {
    std::vector<std::string> names;
    std::vector<std::size_t> places;
    std::uint64_t bytes = 0;
    for (std::size_t next = place; next < files_.size() && names.size() < most_files_ahead;
         ++next) {
        const PushChange& change = *files_[next];
        bytes += is_small(change) ? change.size : 0;
        if (is_small(change) && (names.empty() || bytes <= most_ahead)) {
            names.push_back(change.staged);
            places.push_back(next);
        } else if (bytes > most_ahead) {
            break;
        }
    }
    ahead_.clear(); // of when the commit was sent before, and failed
    std::vector<std::string> contents = co_await work_.context_.staged.read_starts(
        work_.order_.upload, std::move(names), small_file);
    for (std::size_t i = 0; i < places.size(); ++i) {
        ahead_[places[i]] = std::move(contents[i]);
    }
}

Awaitable<std::size_t> UploadWork::Reader::read_large(std::size_t place, std::uint64_t offset,
                                                      std::span<std::byte> buffer) {
    const PushChange& change = *files_[place];
    if (!open_ || opened_ != place) {
        open_ = co_await work_.open(&change);
        opened_ = place;
    }
    const auto wanted = buffer.first(std::min<std::uint64_t>(buffer.size(), change.size - offset));
    const std::size_t count = co_await work_.context_.pool.run([&] {
        const auto got =
            ::pread(open_->value(), wanted.data(), wanted.size(), static_cast<off_t>(offset));
        if (got < 0) {
            throw system_error("reading a file that is pushed", errno);
        }
        return static_cast<std::size_t>(got);
    });
    if (count == 0 && !wanted.empty()) {
        throw too_short(change);
    }
    if (offset + count == change.size) {
        work_.require_unchanged(change);
        open_.reset();
    }
    co_return count;
}

} // namespace wharf::jobs
