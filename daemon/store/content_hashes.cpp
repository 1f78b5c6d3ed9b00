#include "daemon/store/content_hashes.hpp"

#include "daemon/store/staged_files.hpp"

namespace wharf::store {

ContentHashes::ContentHashes(std::uint64_t size) : sha256_{std::string(64, '0'), size} {
    if (size <= most_regular_size) {
        git_.emplace(std::string(40, '0'), size);
    }
}

void ContentHashes::update(std::span<const std::byte> data) {
    sha256_.update(data);
    if (git_) {
        git_->update(data);
    }
}

std::string ContentHashes::finish() {
    std::string hashes = sha256_.finish();
    if (git_) {
        hashes += ' ' + git_->finish();
    }
    return hashes;
}

} // namespace wharf::store
