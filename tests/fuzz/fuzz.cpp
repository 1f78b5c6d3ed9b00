#include "tests/fuzz/fuzz.hpp"

#include "protocol/utf8.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sanitizer/allocator_interface.h>
#include <utility>

namespace wharf::fuzz {

namespace {

// Bytes in use since a limit began, and the most that were at one time. Targets have one thread.
std::int64_t in_use = 0;
std::int64_t most_in_use = 0;

void on_allocation(const volatile void*, std::size_t size) {
    in_use += static_cast<std::int64_t>(size);
    most_in_use = std::max(most_in_use, in_use);
}

void on_release(const volatile void* memory) {
    if (memory != nullptr) {
        in_use -= static_cast<std::int64_t>(__sanitizer_get_allocated_size(memory));
    }
}

} // namespace

void require(bool holds, std::string_view promise) {
    if (!holds) {
        std::fprintf(stderr, "broken promise: %.*s\n", static_cast<int>(promise.size()),
                     promise.data());
        std::abort();
    }
}

MemoryLimit::MemoryLimit(std::size_t bytes) : bytes_{bytes} {
    [[maybe_unused]] static const int installed =
        __sanitizer_install_malloc_and_free_hooks(on_allocation, on_release);
    in_use = 0;
    most_in_use = 0;
}

MemoryLimit::~MemoryLimit() {
    if (std::cmp_greater(most_in_use, bytes_)) {
        std::fprintf(stderr, "%lld bytes of memory where %zu are the limit\n",
                     static_cast<long long>(most_in_use), bytes_);
        require(false, "memory is bounded by the input's length");
    }
}

Cuts Cuts::take(std::string_view& input) {
    Cuts cuts;
    const std::size_t taken = std::min(count, input.size());
    for (const char c : input.substr(input.size() - taken)) {
        const auto length = static_cast<unsigned char>(c);
        cuts.lengths_.push_back(length == 0 ? 256 : length);
    }
    input.remove_suffix(taken);
    if (cuts.lengths_.empty()) {
        cuts.lengths_.push_back(SIZE_MAX);
    }
    return cuts;
}

std::string_view take_until(std::string_view& text, char separator) noexcept {
    const std::string_view part = text.substr(0, text.find(separator));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    return part;
}

bool is_printable(std::string_view text) noexcept {
    const auto is_control = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    };
    return protocol::is_utf8(text) && std::ranges::none_of(text, is_control);
}

} // namespace wharf::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto* const text = reinterpret_cast<const char*>(data);
    wharf::fuzz::run(size == 0 ? std::string_view{} : std::string_view{text, size});
    return 0;
}
