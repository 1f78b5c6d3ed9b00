#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace wharf {

/// Overwrites memory in a way that no compiler leaves out.
void wipe(void* memory, std::size_t size) noexcept;

/// Overwrites the text and empties it.
void wipe(std::string& text) noexcept;

/// A short text that must not get around: a token, a key. It is kept in memory that is not written
/// to swap or to core dumps, as far as the system permits, and wiped at the end. Not copied; any
/// thread.
class Secret {
  public:
    Secret() noexcept = default;
    explicit Secret(std::string_view text);
    /// To be filled through data().
    explicit Secret(std::size_t size);
    Secret(Secret&& other) noexcept
        : data_{std::exchange(other.data_, nullptr)}, size_{std::exchange(other.size_, 0)} {}
    Secret& operator=(Secret&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~Secret();

    bool empty() const noexcept { return size_ == 0; }
    std::string_view view() const noexcept { return {data_, size_}; }
    char* data() noexcept { return data_; }

    /// In a time that tells nothing about where they differ.
    bool operator==(const Secret& other) const noexcept;

  private:
    char* data_ = nullptr;
    std::size_t size_ = 0;
};

/// How well the memory of secrets is guarded.
struct SecretMemory {
    bool is_locked = false; ///< never written to swap
    bool is_hidden = false; ///< left out of core dumps
    std::size_t size = 0;   ///< bytes; secrets beyond that are in ordinary memory, and wiped
};

/// Looks, and sets it up when no secret has come before.
SecretMemory secret_memory();

} // namespace wharf
