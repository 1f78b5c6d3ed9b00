#include "base/digest.hpp"
#include "base/error.hpp"
#include "base/log.hpp"
#include "daemon/store/catalogue.hpp"
#include "daemon/store/layout.hpp"

#include <chrono>
#include <string>

namespace wharf::store {

namespace {

/// Whether a folder that looked like this may still be changed without its mtime showing it: time
/// stamps have the grain of the kernel's clock tick, or of seconds on some file systems.
bool too_fresh(std::int64_t mtime_ns) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::nanoseconds{mtime_ns} > now - std::chrono::seconds{2};
}

/// How many blobs were listed.
std::size_t adopt_repo(const Directory& blobs, const std::string& folder, Catalogue& catalogue) {
    const auto mtime_ns = stamp_of(blobs.fd()).mtime_ns; // before listing: later changes show
    if (catalogue.scanned(folder) == mtime_ns) {
        return 0;
    }
    std::size_t count = 0;
    auto transaction = catalogue.begin(sqlite::Transaction::Kind::write);
    for (const auto& name : blobs.list()) {
        if (is_blob_name(name)) {
            catalogue.record_present(name, folder);
            ++count;
        }
    }
    catalogue.set_scanned(folder, too_fresh(mtime_ns) ? 0 : mtime_ns);
    transaction.commit();
    return count;
}

} // namespace

void adopt(const Directory& cache, Catalogue& catalogue) {
    std::size_t repos = 0;
    std::size_t blobs = 0;
    for (const auto& folder : cache.list()) {
        if (!layout::is_repo_folder(folder)) {
            continue;
        }
        try {
            const auto opened = cache.open(folder + "/" + std::string{layout::blobs});
            if (const auto count = opened ? adopt_repo(*opened, folder, catalogue) : 0; count > 0) {
                ++repos;
                blobs += count;
            }
        } catch (const sqlite::Damaged&) {
            throw;
        } catch (const Error& error) { // one odd folder must not keep the rest from being served
            log::warning("store", "{} is left out: {}", folder, error.message());
        }
    }
    if (repos > 0) {
        log::info("store", "found {} blobs in {} repos", blobs, repos);
    }
}

} // namespace wharf::store
