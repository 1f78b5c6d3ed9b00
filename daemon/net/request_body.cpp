#include "daemon/net/request_body.hpp"

#include <algorithm>
#include <cstring>

namespace wharf::net {

namespace {

class TextBody final : public RequestBody {
  public:
    explicit TextBody(std::string text) : text_{std::move(text)} {}

    std::uint64_t size() const noexcept override { return text_.size(); }

    Awaitable<std::size_t> read_some(std::span<std::byte> buffer) override {
        const std::size_t count = std::min(buffer.size(), text_.size() - position_);
        std::memcpy(buffer.data(), text_.data() + position_, count);
        position_ += count;
        co_return count;
    }

    void rewind() override { position_ = 0; }

  private:
    std::string text_;
    std::size_t position_ = 0;
};

} // namespace

std::shared_ptr<RequestBody> make_body(std::string text) {
    return std::make_shared<TextBody>(std::move(text));
}

} // namespace wharf::net
