#include "daemon/access/access_store.hpp"

#include "base/log.hpp"

#include <utility>

namespace wharf::access {

namespace {

/// How long after a failed write the next one is tried.
constexpr std::chrono::seconds try_again{5};

} // namespace

AccessStore::AccessStore(Executor executor, const std::filesystem::path& file)
    : rows_{open_access_rows(file)}, writer_{std::move(executor)} {}

void AccessStore::note(const RecordChange& change) {
    pending_.insert_or_assign(change.key, change);
    if (!is_writing_ && !stopping_) {
        is_writing_ = true;
        writer_.spawn("writing who may read what", write_all());
    }
}

Awaitable<> AccessStore::write_all() {
    while (!pending_.empty()) {
        co_await write_batch();
        if (failed_ && stopping_) {
            break;
        }
        if (failed_) {
            co_await hurry_.wait_for(try_again);
        }
    }
    is_writing_ = false;
}

Awaitable<> AccessStore::write_batch() {
    Changes writing = std::exchange(pending_, {});
    std::vector<RecordChange> batch;
    batch.reserve(writing.size());
    for (const auto& [key, change] : writing) {
        batch.push_back(change);
    }
    bool failed = false;
    try {
        co_await disk_.run([&] { rows_->save(batch); });
    } catch (const Error& error) {
        failed = true;
        if (!failed_) { // once, not at every further try
            log::error("access", "who may read what cannot be written: {}", error.message());
        }
    }
    if (failed) {
        pending_.merge(writing); // what has changed meanwhile stays
    } else if (failed_) {
        log::info("access", "who may read what can be written again");
    }
    failed_ = failed;
}

Awaitable<> AccessStore::stop() {
    stopping_ = true;
    hurry_.notify_all();
    co_await writer_.join();
}

} // namespace wharf::access
