#include "daemon/async/io_threads.hpp"

#include <pthread.h>

namespace wharf::async {

IoThreads::IoThreads(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        auto& entry = *threads_.emplace_back(std::make_unique<Thread>());
        entry.thread = std::thread{[&entry] { entry.context.run(); }};
        pthread_setname_np(entry.thread.native_handle(), "wharfd-io");
    }
}

IoThreads::~IoThreads() {
    for (auto& entry : threads_) {
        entry->work.reset();
        entry->context.stop();
        entry->thread.join();
    }
}

Executor IoThreads::executor(std::size_t index) {
    return threads_[index]->context.get_executor();
}

} // namespace wharf::async
