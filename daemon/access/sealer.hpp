#pragma once

#include "base/error.hpp"
#include "base/secret.hpp"

#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace wharf::access {

/// Encrypts secrets that must survive a restart: AES-256-GCM with a fresh random nonce each time.
/// What a secret belongs to is authenticated with it, so a sealed text that is copied to another
/// place does not open there. Any thread.
///
/// A sealed text is one byte of version (1), 12 bytes of nonce, the encrypted secret and 16 bytes
/// of tag.
class Sealer {
  public:
    static constexpr std::size_t key_size = 32;
    using Key = std::array<unsigned char, key_size>;

    /// Wipes its copy of the key; what is kept is a Secret.
    explicit Sealer(Key key);
    Sealer(const Sealer&) = delete;
    Sealer& operator=(const Sealer&) = delete;
    ~Sealer() = default;

    /// Throws an internal Error when the system has no randomness to give.
    std::string seal(std::string_view secret, std::string_view belongs_to) const;

    /// Errors: storage, when it was sealed with another key or for something else, or was changed.
    Result<Secret> open(std::string_view sealed, std::string_view belongs_to) const;

  private:
    Secret key_;
};

/// The key of this box: made from the systemd credential "wharf-key" (any content of at least 32
/// bytes) when `credentials` has one, else what is in the file "key" of the state folder, which is
/// made when there is none. Throws forbidden Errors when the file is not ours alone, storage Errors
/// when it cannot be read or made. Requires: nobody else uses the state folder.
Sealer::Key box_key(const std::filesystem::path& state_dir,
                    const std::optional<std::filesystem::path>& credentials);

} // namespace wharf::access
