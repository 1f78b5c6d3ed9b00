#include "daemon/access/sealer.hpp"

#include "base/log.hpp"
#include "base/read_up_to.hpp"
#include "base/scope_exit.hpp"
#include "base/unique_fd.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>

namespace wharf::access {

namespace {

constexpr char version = 1;
constexpr std::size_t nonce_size = 12; // 96 bits: what GCM is made for
constexpr std::size_t tag_size = 16;
constexpr std::size_t overhead = 1 + nonce_size + tag_size;

/// Larger credentials are a mistake; a credential of systemd is at most 1 MiB.
constexpr std::size_t most_credential_bytes = 64 << 10;

using Context =
    std::unique_ptr<EVP_CIPHER_CTX,
                    decltype([](EVP_CIPHER_CTX* context) { ::EVP_CIPHER_CTX_free(context); })>;

const unsigned char* bytes(std::string_view text) noexcept {
    return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes(std::string& text) noexcept {
    return reinterpret_cast<unsigned char*>(text.data());
}
unsigned char* bytes(Secret& secret) noexcept {
    return reinterpret_cast<unsigned char*>(secret.data());
}

void fill_random(unsigned char* out, std::size_t size) {
    if (::RAND_bytes(out, static_cast<int>(size)) != 1) {
        throw Error{ErrorKind::internal, "the system gives no random bytes"};
    }
}

/// Ready to encrypt or decrypt, with the associated data taken in; null when OpenSSL refuses.
Context begin(bool encrypt, std::string_view key, std::string_view nonce,
              std::string_view belongs_to) {
    Context context{::EVP_CIPHER_CTX_new()};
    int length = 0;
    const bool ready = context &&
                       ::EVP_CipherInit_ex2(context.get(), ::EVP_aes_256_gcm(), bytes(key),
                                            bytes(nonce), encrypt ? 1 : 0, nullptr) == 1 &&
                       ::EVP_CipherUpdate(context.get(), nullptr, &length, bytes(belongs_to),
                                          static_cast<int>(belongs_to.size())) == 1;
    return ready ? std::move(context) : nullptr;
}

Error cannot_open() {
    return Error{ErrorKind::storage, "a stored token cannot be opened with this machine's key"};
}

} // namespace

Sealer::Sealer(Key key) : key_{key.size()} {
    std::ranges::copy(key, key_.data());
    wipe(key.data(), key.size());
}

std::string Sealer::seal(std::string_view secret, std::string_view belongs_to) const {
    std::string sealed(overhead + secret.size(), version);
    unsigned char* nonce = bytes(sealed) + 1;
    unsigned char* content = nonce + nonce_size;
    fill_random(nonce, nonce_size);
    const Context context =
        begin(true, key_.view(), std::string_view{sealed}.substr(1, nonce_size), belongs_to);
    int length = 0;
    if (!context ||
        ::EVP_CipherUpdate(context.get(), content, &length, bytes(secret),
                           static_cast<int>(secret.size())) != 1 ||
        ::EVP_CipherFinal_ex(context.get(), content + length, &length) != 1 ||
        ::EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, tag_size,
                              content + secret.size()) != 1) {
        throw Error{ErrorKind::internal, "a secret could not be encrypted"};
    }
    return sealed;
}

Result<Secret> Sealer::open(std::string_view sealed, std::string_view belongs_to) const {
    if (sealed.size() < overhead || sealed.front() != version) {
        return cannot_open();
    }
    const auto nonce = sealed.substr(1, nonce_size);
    const auto content = sealed.substr(1 + nonce_size, sealed.size() - overhead);
    std::string tag{sealed.substr(sealed.size() - tag_size)}; // OpenSSL wants it writable
    Secret secret{content.size()};
    const Context context = begin(false, key_.view(), nonce, belongs_to);
    int length = 0;
    if (!context ||
        ::EVP_CipherUpdate(context.get(), bytes(secret), &length, bytes(content),
                           static_cast<int>(content.size())) != 1 ||
        ::EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, tag_size, tag.data()) != 1 ||
        ::EVP_CipherFinal_ex(context.get(), bytes(secret) + length, &length) != 1) {
        return cannot_open(); // not authentic: nobody may look at it
    }
    return secret;
}

namespace {

namespace fs = std::filesystem;

UniqueFd open_for_reading(const fs::path& path) {
    UniqueFd file{adopt_fd, ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY)};
    if (!file && errno != ENOENT) {
        throw system_error(fmt::format("opening {}", path.native()), errno);
    }
    return file;
}

/// All of a short file, at most `limit` + 1 bytes.
std::string read_all(const UniqueFd& file, const fs::path& path, std::size_t limit) {
    auto content = read_up_to(file.value(), limit + 1);
    if (!content) {
        throw system_error(fmt::format("reading {}", path.native()), errno);
    }
    return *std::move(content);
}

/// Whatever the administrator chose as credential becomes a key of the right size.
Sealer::Key key_from(std::string_view credential, const fs::path& path) {
    if (credential.size() < Sealer::key_size || credential.size() > most_credential_bytes) {
        throw Error{ErrorKind::invalid_request,
                    fmt::format("the credential {} must have between {} bytes and 64 KiB",
                                path.native(), Sealer::key_size),
                    "make one with 'head -c 32 /dev/urandom'"};
    }
    Sealer::Key key;
    unsigned size = 0;
    if (::EVP_Digest(credential.data(), credential.size(), key.data(), &size, ::EVP_sha256(),
                     nullptr) != 1) {
        throw Error{ErrorKind::internal, "no SHA-256 in this OpenSSL"};
    }
    return key;
}

void require_ours_alone(const UniqueFd& file, const fs::path& path) {
    struct stat facts{};
    if (::fstat(file.value(), &facts) != 0) {
        throw system_error(fmt::format("looking at {}", path.native()), errno);
    }
    if (!S_ISREG(facts.st_mode) || facts.st_uid != ::geteuid() || (facts.st_mode & 077) != 0) {
        throw Error{ErrorKind::forbidden,
                    fmt::format("the key {} must be a file of the daemon's account that nobody "
                                "else can read",
                                path.native()),
                    "somebody else may know the key: remove the file, then have tokens of "
                    "detached jobs given again"};
    }
}

void write_all(const UniqueFd& file, const fs::path& path, const Sealer::Key& key) {
    const auto count = ::write(file.value(), key.data(), key.size());
    if (count != static_cast<ssize_t>(key.size()) || ::fsync(file.value()) != 0) {
        throw system_error(fmt::format("writing {}", path.native()), count < 0 ? errno : ENOSPC);
    }
}

/// Appears under its name only when it is whole and durable, and never replaces another.
Sealer::Key make_key(const fs::path& path) {
    Sealer::Key key;
    fill_random(key.data(), key.size());
    const fs::path unfinished = path.native() + ".new";
    ::unlink(unfinished.c_str()); // of an earlier start that did not get far
    const UniqueFd file{adopt_fd,
                        ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    if (!file) {
        throw system_error(fmt::format("creating {}", unfinished.native()), errno);
    }
    const ScopeExit remove{[&] { ::unlink(unfinished.c_str()); }};
    write_all(file, unfinished, key);
    const UniqueFd folder{adopt_fd,
                          ::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (::link(unfinished.c_str(), path.c_str()) != 0 || !folder || ::fsync(folder.value()) != 0) {
        throw system_error(fmt::format("creating {}", path.native()), errno);
    }
    log::info("access", "made a key for stored tokens: {}", path.native());
    return key;
}

} // namespace

Sealer::Key box_key(const fs::path& state_dir, const std::optional<fs::path>& credentials) {
    if (credentials) {
        const fs::path path = *credentials / "wharf-key";
        if (const UniqueFd file = open_for_reading(path)) {
            std::string credential = read_all(file, path, most_credential_bytes);
            const ScopeExit forget{[&] { wipe(credential); }};
            return key_from(credential, path);
        }
    }
    const fs::path path = state_dir / "key";
    const UniqueFd file = open_for_reading(path);
    if (!file) {
        return make_key(path);
    }
    require_ours_alone(file, path);
    std::string content = read_all(file, path, Sealer::key_size);
    const ScopeExit forget{[&] { wipe(content); }};
    Sealer::Key key;
    if (content.size() != key.size()) {
        throw Error{ErrorKind::storage, fmt::format("{} does not hold a key", path.native()),
                    "remove it; tokens of detached jobs must be given again"};
    }
    std::ranges::copy(content, key.begin());
    return key;
}

} // namespace wharf::access
