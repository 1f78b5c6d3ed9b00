#include "daemon/hub/commit_lines.hpp"

#include "base/base64.hpp"
#include "base/error.hpp"
#include "daemon/hub/text.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/string_view.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>

// A line is made in pieces: what is before the content, the content a piece at a time, what is
// after it. Pieces of the content are multiples of three bytes, so that their base64 joins without
// padding. Lines without content are one piece.

namespace wharf::hub {

namespace {

constexpr std::size_t content_piece = 48 << 10; // a multiple of 3; 64 KiB in base64

std::string quoted_json(std::string_view text) {
    return boost::json::serialize(boost::json::string_view{text});
}

std::string header_line(const CommitHeader& header) {
    std::string parent =
        header.parent.empty() ? "" : ",\"parentCommit\":" + quoted_json(header.parent);
    return fmt::format("{{\"key\":\"header\",\"value\":{{\"summary\":{},\"description\":{}{}}}}}\n",
                       quoted_json(header.summary), quoted_json(header.description), parent);
}

/// All of the line, or what is before the content.
std::string line_begin(const CommitLine& line) {
    switch (line.kind) {
    case CommitLine::Kind::regular_file:
        return "{\"key\":\"file\",\"value\":{\"content\":\"";
    case CommitLine::Kind::lfs_file:
        return fmt::format("{{\"key\":\"lfsFile\",\"value\":{{\"path\":{},\"algo\":\"sha256\","
                           "\"oid\":{},\"size\":{}}}}}\n",
                           quoted_json(line.path), quoted_json(line.oid), line.size);
    case CommitLine::Kind::deleted_file:
        return fmt::format("{{\"key\":\"deletedFile\",\"value\":{{\"path\":{}}}}}\n",
                           quoted_json(line.path));
    case CommitLine::Kind::deleted_folder:
        return fmt::format("{{\"key\":\"deletedFolder\",\"value\":{{\"path\":{}}}}}\n",
                           quoted_json(line.path + '/'));
    }
    return {};
}

/// What is after the content of a regular file.
std::string line_end(const CommitLine& line) {
    return fmt::format("\",\"path\":{},\"encoding\":\"base64\"}}}}\n", quoted_json(line.path));
}

bool has_content(const CommitLine& line) noexcept {
    return line.kind == CommitLine::Kind::regular_file;
}

std::uint64_t size_of(const CommitLine& line) {
    const std::uint64_t begin = line_begin(line).size();
    return has_content(line) ? begin + base64_size(line.size) + line_end(line).size() : begin;
}

class CommitBody final : public net::RequestBody {
  public:
    CommitBody(CommitHeader header, std::vector<CommitLine> lines)
        : header_{header_line(header)}, lines_{std::move(lines)}, size_{header_.size()} {
        for (const CommitLine& line : lines_) {
            size_ += wharf::hub::size_of(line);
        }
        start();
    }

    std::uint64_t size() const noexcept override { return size_; }

    Awaitable<std::size_t> read_some(std::span<std::byte> buffer) override {
        while (given_ == ready_.size()) {
            if (line_ == lines_.size()) {
                co_return 0;
            }
            co_await make_ready();
        }
        const std::size_t count = std::min(buffer.size(), ready_.size() - given_);
        std::memcpy(buffer.data(), ready_.data() + given_, count);
        given_ += count;
        co_return count;
    }

    void rewind() override { start(); }

  private:
    void start() {
        line_ = 0;
        offset_ = 0;
        begun_ = false;
        give(header_);
    }

    void give(std::string text) {
        ready_ = std::move(text);
        given_ = 0;
    }

    /// The next piece. Requires: not all lines are done.
    Awaitable<> make_ready() {
        const CommitLine& line = lines_[line_];
        if (!begun_) {
            begun_ = has_content(line);
            line_ += begun_ ? 0 : 1;
            give(line_begin(line));
        } else if (offset_ < line.size) {
            co_await encode_piece(line);
        } else {
            begun_ = false;
            offset_ = 0;
            ++line_;
            give(line_end(line));
        }
    }

    /// `line` stays where it is: the lines never change.
    Awaitable<> encode_piece(const CommitLine& line) {
        const auto want =
            static_cast<std::size_t>(std::min<std::uint64_t>(content_piece, line.size - offset_));
        std::vector<std::byte> piece(want);
        std::size_t have = 0;
        while (have < want) {
            const std::size_t count =
                co_await line.content(offset_ + have, std::span{piece}.subspan(have));
            assert(count <= want - have);
            if (count == 0) {
                throw Error{ErrorKind::integrity,
                            fmt::format("{} has become shorter than its {} bytes",
                                        hub::quoted(line.path), line.size)};
            }
            have += count;
        }
        offset_ += want;
        std::string text;
        append_base64(text, piece);
        give(std::move(text));
    }

    const std::string header_;
    const std::vector<CommitLine> lines_;
    std::uint64_t size_;

    std::size_t line_ = 0;     ///< the one that is being made
    bool begun_ = false;       ///< what is before its content has been made
    std::uint64_t offset_ = 0; ///< of the content that is encoded next
    std::string ready_;        ///< made; handed out up to `given_`
    std::size_t given_ = 0;
};

} // namespace

std::shared_ptr<net::RequestBody> make_commit_body(CommitHeader header,
                                                   std::vector<CommitLine> lines) {
    return std::make_shared<CommitBody>(std::move(header), std::move(lines));
}

} // namespace wharf::hub
