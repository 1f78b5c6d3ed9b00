#pragma once

#include "daemon/async/awaitable.hpp"
#include "daemon/async/blocking_pool.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/semaphore.hpp"
#include "daemon/store/catalogue.hpp"
#include "daemon/store/directory.hpp"
#include "daemon/store/file_system.hpp"
#include "daemon/store/partial_file.hpp"
#include "daemon/store/staging.hpp"

#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace wharf::store {

/// What shall become a blob of a repo. Filled by the asker, finished by the publisher.
struct Publication {
    std::string etag;
    std::string repo_folder;
    std::unique_ptr<PartialFile> file; ///< null: made of `content`
    std::vector<std::byte> content;

    Stamp stamp;                ///< how the blob looks
    std::exception_ptr failure; ///< why it is none
};

/// Makes checked files blobs, durably. Flushing costs much for one file and little for one more, so
/// those who come while a batch is on its way form the next one: the first of them waits for its
/// turn and then sees to all. Nobody waits for a timer. Called on one thread; the work is done on
/// the pools, that with the catalogue on `disk`.
class Publisher {
  public:
    /// Requires: all of them outlive this.
    Publisher(const Directory& cache, Staging& staging, Space space, Catalogue& catalogue,
              async::BlockingPool& pool, async::BlockingPool& disk)
        : cache_{cache}, staging_{staging}, space_{std::move(space)}, catalogue_{catalogue},
          pool_{pool}, disk_{disk} {}

    /// Durable, in the catalogue, and known as verified when it returns. Throws no_space or storage
    /// Errors. Requires: this task is not cancelled in between.
    Awaitable<> publish(Publication publication);

    /// The same for all of them together. When it throws, some may be.
    Awaitable<> publish(std::vector<Publication> publications);

  private:
    struct Batch {
        std::vector<Publication*> items;
        bool done = false;
        async::Event changed;
    };

    Awaitable<> run(Batch& batch);
    Awaitable<> write_all(const std::vector<Publication*>& items);
    Awaitable<> write_share(std::vector<Publication*> share);
    void write(Publication& item);
    void record(const std::vector<Publication*>& items);

    const Directory& cache_;
    Staging& staging_;
    Space space_;
    Catalogue& catalogue_;
    async::BlockingPool& pool_;
    async::BlockingPool& disk_;
    std::shared_ptr<Batch> forming_;
    async::Semaphore turn_{1};
};

} // namespace wharf::store
