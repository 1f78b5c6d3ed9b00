#include "protocol/frame.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace wharf::protocol {

void FrameReader::append(std::string_view bytes, std::vector<UniqueFd> descriptors) {
    if (begin_ > 0) {
        buffer_.erase(0, begin_);
        scanned_ -= begin_;
        begin_ = 0;
    }
    buffer_.append(bytes);
    ends_ += static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\0'));
    if (descriptors.empty()) {
        return;
    }
    const std::uint64_t message = bytes.ends_with('\0') ? ends_ - 1 : ends_;
    if (descriptors_.empty() || descriptors_.back().message != message) {
        descriptors_.push_back({message, {}});
    }
    auto& list = descriptors_.back().list;
    std::move(descriptors.begin(), descriptors.end(), std::back_inserter(list));
}

Result<std::optional<Frame>> FrameReader::next() {
    if (!descriptors_.empty() && descriptors_.front().list.size() > descriptor_limit) {
        return Error{ErrorKind::protocol,
                     fmt::format("a message has more than {} descriptors", descriptor_limit)};
    }
    const std::size_t end = buffer_.find('\0', scanned_);
    scanned_ = std::min(end, buffer_.size());
    if (scanned_ - begin_ > limit_) {
        return Error{ErrorKind::protocol, fmt::format("a message is over {} bytes", limit_)};
    }
    if (end == std::string::npos) {
        return std::optional<Frame>{};
    }
    Frame frame{{}, take_descriptors(taken_)};
    ++taken_;
    if (begin_ == 0 && end + 1 == buffer_.size()) {
        frame.text = std::exchange(buffer_, {});
        frame.text.pop_back();
        scanned_ = 0;
    } else {
        frame.text = buffer_.substr(begin_, end - begin_);
        begin_ = scanned_ = end + 1;
        if (begin_ == buffer_.size()) {
            std::string{}.swap(buffer_);
            begin_ = scanned_ = 0;
        }
    }
    return std::optional<Frame>{std::move(frame)};
}

std::size_t FrameReader::descriptors() const noexcept {
    std::size_t count = 0;
    for (const auto& descriptors : descriptors_) {
        count += descriptors.list.size();
    }
    return count;
}

std::vector<UniqueFd> FrameReader::take_descriptors() {
    std::vector<UniqueFd> all;
    for (auto& descriptors : descriptors_) {
        std::move(descriptors.list.begin(), descriptors.list.end(), std::back_inserter(all));
    }
    descriptors_.clear();
    return all;
}

std::vector<UniqueFd> FrameReader::take_descriptors(std::uint64_t message) {
    std::vector<UniqueFd> list;
    if (!descriptors_.empty() && descriptors_.front().message == message) {
        list = std::move(descriptors_.front().list);
        descriptors_.erase(descriptors_.begin());
    }
    return list;
}

} // namespace wharf::protocol
