#include "base/digest.hpp"

#include "base/error.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>

namespace wharf {

namespace {

void check(int result) {
    if (result != 1) {
        throw Error{ErrorKind::internal, "the crypto library refused to hash"};
    }
}

bool is_lower_hex(std::string_view text) noexcept {
    return std::ranges::all_of(
        text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

} // namespace

struct BlobHasher::Context {
    std::unique_ptr<EVP_MD_CTX, decltype([](EVP_MD_CTX* p) { EVP_MD_CTX_free(p); })> md{
        EVP_MD_CTX_new()};
};

BlobHasher::BlobHasher(std::string_view etag, std::uint64_t size)
    : context_{std::make_unique<Context>()} {
    const bool git = etag.size() == 40;
    check(EVP_DigestInit_ex(context_->md.get(), git ? EVP_sha1() : EVP_sha256(), nullptr));
    if (git) {
        const std::string header = fmt::format("blob {}", size);
        check(EVP_DigestUpdate(context_->md.get(), header.c_str(), header.size() + 1));
    }
}

BlobHasher::BlobHasher(BlobHasher&&) noexcept = default;
BlobHasher& BlobHasher::operator=(BlobHasher&&) noexcept = default;
BlobHasher::~BlobHasher() = default;

void BlobHasher::update(std::span<const std::byte> data) {
    check(EVP_DigestUpdate(context_->md.get(), data.data(), data.size()));
}

std::string BlobHasher::finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    check(EVP_DigestFinal_ex(context_->md.get(), digest.data(), &size));
    std::string hex;
    for (unsigned i = 0; i < size; ++i) {
        fmt::format_to(std::back_inserter(hex), "{:02x}", digest[i]);
    }
    return hex;
}

bool is_blob_name(std::string_view text) noexcept {
    return (text.size() == 40 || text.size() == 64) && is_lower_hex(text);
}

bool is_commit_id(std::string_view text) noexcept {
    return text.size() == 40 && is_lower_hex(text);
}

std::string sha256_hex(std::string_view text) {
    BlobHasher hasher{std::string(64, '0'), text.size()};
    hasher.update(std::as_bytes(std::span{text}));
    return hasher.finish();
}

} // namespace wharf
