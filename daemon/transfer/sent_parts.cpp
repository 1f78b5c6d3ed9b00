#include "daemon/transfer/sent_parts.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace wharf::transfer {

namespace {

constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_upload_id(std::string_view name) noexcept {
    return std::ranges::equal(name, std::string_view{"uploadid"}, {}, lower);
}

std::string_view place_of(std::string_view url) noexcept {
    return url.substr(0, url.find('?'));
}

/// As it stands in the query; empty: there is none.
std::string_view upload_id(std::string_view url) noexcept {
    const auto query = url.find('?');
    std::string_view left = query == std::string_view::npos ? "" : url.substr(query + 1);
    while (!left.empty()) {
        const std::string_view field = left.substr(0, left.find('&'));
        left.remove_prefix(std::min(left.size(), field.size() + 1));
        const auto equals = field.find('=');
        if (equals != std::string_view::npos && is_upload_id(field.substr(0, equals))) {
            return field.substr(equals + 1);
        }
    }
    return {};
}

/// The parts' URLs say best where parts go.
std::string_view upload_id(const hub::UploadAction& action) noexcept {
    const auto id = action.parts.empty() ? "" : upload_id(action.parts.front());
    return id.empty() ? upload_id(action.href) : id;
}

std::size_t parts_of(const hub::UploadAction& action, std::uint64_t size) noexcept {
    const auto chunk = action.chunk_size;
    return chunk == 0 ? 1 : static_cast<std::size_t>(size / chunk + (size % chunk == 0 ? 0 : 1));
}

bool fits(const hub::UploadAction& action, std::uint64_t size) noexcept {
    return action.chunk_size == 0 || (size > 0 && action.parts.size() == parts_of(action, size));
}

} // namespace

bool is_same_upload(const hub::UploadAction& one, const hub::UploadAction& other) {
    if (one.chunk_size == 0 || one.chunk_size != other.chunk_size) {
        return false;
    }
    const auto id = upload_id(one);
    if (id != upload_id(other)) {
        return false;
    }
    return !id.empty() || std::ranges::equal(one.parts, other.parts, {}, place_of, place_of);
}

bool SentParts::renew(hub::UploadAction action, bool may_keep) {
    if (!fits(action, size_)) {
        throw Error{ErrorKind::protocol,
                    fmt::format("the Hub gave {} URLs for {} bytes in parts of {}",
                                action.parts.size(), size_, action.chunk_size)};
    }
    const bool kept = may_keep && has_action() && is_same_upload(action_, action);
    if (!kept) {
        parts_.assign(parts_of(action, size_), {});
    }
    action_ = std::move(action);
    return kept;
}

void SentParts::restore(PartsSent earlier) {
    if (!fits(earlier.action, size_)) {
        return;
    }
    renew(std::move(earlier.action), false);
    for (auto& [part, etag] : earlier.etags) {
        if (part < count()) {
            set_sent(part, std::move(etag));
        }
    }
}

PartsSent SentParts::sent() const {
    PartsSent all{.action = action_, .etags = {}};
    for (std::size_t part = 0; part < count(); ++part) {
        if (parts_[part].state == State::sent) {
            all.etags.emplace_back(part, parts_[part].etag);
        }
    }
    return all;
}

const std::string& SentParts::url(std::size_t part) const {
    return is_in_parts() ? action_.parts[part] : action_.href;
}

std::uint64_t SentParts::size_of(std::size_t part) const noexcept {
    return is_in_parts() ? std::min(action_.chunk_size, size_ - begin_of(part)) : size_;
}

std::optional<std::size_t> SentParts::begin_next() {
    const auto next = std::ranges::find(parts_, State::missing, &Part::state);
    if (next == parts_.end()) {
        return std::nullopt;
    }
    next->state = State::on_its_way;
    return static_cast<std::size_t>(next - parts_.begin());
}

void SentParts::give_back(std::size_t part) {
    if (parts_[part].state == State::on_its_way) {
        parts_[part].state = State::missing;
    }
}

void SentParts::set_sent(std::size_t part, std::string etag) {
    parts_[part] = {.state = State::sent, .etag = std::move(etag)};
}

std::size_t SentParts::missing() const noexcept {
    return static_cast<std::size_t>(std::ranges::count(parts_, State::missing, &Part::state));
}

bool SentParts::is_complete() const noexcept {
    return std::ranges::all_of(parts_, [](const Part& part) { return part.state == State::sent; });
}

std::uint64_t SentParts::bytes_sent() const noexcept {
    std::uint64_t bytes = 0;
    for (std::size_t part = 0; part < count(); ++part) {
        bytes += parts_[part].state == State::sent ? size_of(part) : 0;
    }
    return bytes;
}

std::vector<std::string> SentParts::etags() const {
    assert(is_complete());
    std::vector<std::string> all;
    for (const auto& part : parts_) {
        all.push_back(part.etag);
    }
    return all;
}

} // namespace wharf::transfer
