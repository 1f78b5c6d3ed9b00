#pragma once

#include "daemon/async/blocking_pool.hpp"
#include "daemon/async/event.hpp"
#include "daemon/scheduling/bandwidth.hpp"
#include "daemon/scheduling/connections.hpp"
#include "daemon/scheduling/retry.hpp"
#include "daemon/transfer/file_part.hpp"
#include "daemon/transfer/lanes.hpp"
#include "daemon/transfer/object_questions.hpp"
#include "daemon/transfer/object_uploads.hpp"

#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <string>

namespace wharf::transfer {

struct UploadOptions {
    std::size_t max_connections_per_file = 16;
    scheduling::RetryPolicy retry;
};

/// What all uploads share.
struct UploadContext {
    Executor executor; ///< the control thread's
    Lanes& lanes;
    hub::Transport& transport; ///< belongs to that thread, and tells the gate of every answer
    Asking& asking;
    async::BlockingPool& pool;
    scheduling::RateGate& gate;
    scheduling::Connections& connections;
    scheduling::Bandwidth& bandwidth; ///< of what is sent
    net::Url endpoint;
    UploadOptions options;
};

/// One object on its way to the Hub, for one who wants it there: asks where to put it, puts what is
/// missing, has it put together and verified, and begins anew where that may help. Control thread.
class ObjectUpload {
  public:
    /// `parts`: what was sent already, and what is sent now. Requires: all of these outlive this.
    ObjectUpload(const UploadContext& context, ObjectQuestions& questions, SentParts& parts,
                 ObjectOrder& order);

    /// As ObjectUploads::send().
    Awaitable<> run();

  private:
    Awaitable<bool> is_there();
    Awaitable<> send_missing();
    Awaitable<> work();
    Awaitable<> send_part(std::size_t part);
    Awaitable<std::optional<Error>> try_part(std::size_t part, std::string host);
    std::shared_ptr<FilePart>
    body_of(std::size_t part, std::shared_ptr<scheduling::ConnectionLine> line, Executor lane);
    Awaitable<> finish();
    Awaitable<> ask_to_finish();
    Awaitable<> face(Error fault);
    Awaitable<> look_into_refusal();
    Awaitable<> recover(Error error);
    void count_sent();

    /// So often what was sent completely is sent once more, or asked for under new URLs.
    static constexpr int most_refusals = 1;
    static constexpr int most_expiries = 2;

    const UploadContext& context_;
    ObjectQuestions& questions_;
    SentParts& parts_;
    ObjectOrder& order_;
    FileLane lane_;
    scheduling::Retry retry_;
    std::chrono::steady_clock::time_point retry_at_; ///< failures before this are one with the last
    std::size_t working_ = 0;                        ///< workers
    std::exception_ptr trouble_;   ///< what a worker could not recover from, or a cancellation
    std::optional<Error> fault_;   ///< why it goes on only with a new answer of the Hub
    std::optional<Error> refusal_; ///< that of what was sent completely, until it was looked into
    int refusals_ = 0;
    bool may_keep_ = true;      ///< what was sent, when the Hub goes on with the same upload
    bool put_together_ = false; ///< the parts, by the Hub's word
    async::Event changed_;
};

} // namespace wharf::transfer
