#include "base/secret.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>
#include <sys/mman.h>
#include <vector>

// Secrets share one region of pages, in places of one size that lie side by side. OpenSSL has such
// a heap too, but keeps the keys of connections in it: whoever filled it with tokens would keep
// everybody from connecting.

namespace wharf {

namespace {

/// Far below what an ordinary process may lock (RLIMIT_MEMLOCK, 8 MiB on Debian 12).
constexpr std::size_t region_size = std::size_t{256} << 10;

/// A token of the Hub has 37 characters.
constexpr std::size_t place_size = 64;
constexpr std::size_t places = region_size / place_size;

class Region {
  public:
    Region() {
        void* pages = ::mmap(nullptr, region_size, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED) {
            return;
        }
        begin_ = static_cast<char*>(pages);
        facts_ = {.is_locked = ::mlock(pages, region_size) == 0,
                  .is_hidden = ::madvise(pages, region_size, MADV_DONTDUMP) == 0,
                  .size = region_size};
    }

    const SecretMemory& facts() const noexcept { return facts_; }

    /// Null when there is no room.
    char* take(std::size_t size) {
        const auto wanted = static_cast<std::ptrdiff_t>((size + place_size - 1) / place_size);
        const std::lock_guard lock{mutex_};
        const auto found = begin_ == nullptr
                               ? taken_.end()
                               : std::search_n(taken_.begin(), taken_.end(), wanted, false);
        if (found == taken_.end()) {
            if (!std::exchange(was_full_, true)) {
                log::warning("secrets", "more secrets than the locked memory holds: the rest are "
                                        "in ordinary memory, and wiped after use");
            }
            return nullptr;
        }
        std::fill_n(found, wanted, true);
        return begin_ + (found - taken_.begin()) * static_cast<std::ptrdiff_t>(place_size);
    }

    /// False when it is not from here.
    bool give_back(const char* memory, std::size_t size) noexcept {
        if (begin_ == nullptr || memory < begin_ || memory >= begin_ + region_size) {
            return false;
        }
        const auto first = (memory - begin_) / static_cast<std::ptrdiff_t>(place_size);
        const std::lock_guard lock{mutex_};
        std::fill_n(taken_.begin() + first, (size + place_size - 1) / place_size, false);
        return true;
    }

  private:
    char* begin_ = nullptr;
    SecretMemory facts_;
    std::mutex mutex_; ///< for all below
    std::vector<bool> taken_ = std::vector<bool>(places);
    bool was_full_ = false;
};

/// Never destroyed: secrets may outlive all else.
Region& region() {
    static auto& only = *new Region;
    return only;
}

} // namespace

void wipe(void* memory, std::size_t size) noexcept {
    ::explicit_bzero(memory, size);
}

void wipe(std::string& text) noexcept {
    wipe(text.data(), text.size());
    text.clear();
}

Secret::Secret(std::size_t size) : size_{size} {
    if (size == 0) {
        return;
    }
    data_ = region().take(size);
    if (data_ == nullptr) {
        data_ = static_cast<char*>(::operator new(size));
    }
    std::fill_n(data_, size, '\0');
}

Secret::Secret(std::string_view text) : Secret{text.size()} {
    std::ranges::copy(text, data_);
}

Secret::~Secret() {
    if (data_ == nullptr) {
        return;
    }
    wipe(data_, size_);
    if (!region().give_back(data_, size_)) {
        ::operator delete(data_);
    }
}

bool Secret::operator==(const Secret& other) const noexcept {
    unsigned difference = size_ == other.size_ ? 0 : 1;
    for (std::size_t i = 0; i < std::min(size_, other.size_); ++i) {
        difference |= static_cast<unsigned char>(data_[i] ^ other.data_[i]);
    }
    return difference == 0;
}

SecretMemory secret_memory() {
    return region().facts();
}

} // namespace wharf
