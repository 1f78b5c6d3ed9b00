// Workers put parts until none is missing; then the Hub is asked to put them together and to verify
// what it got. Each step is tried again as long as that may help. Two things lead back to the
// beginning, the question where to put the object: URLs that have expired, and somebody who finds
// fault with what was sent. The answer may be that the Hub has the object: then an answer of ours
// was lost, and all is done.
#include "daemon/transfer/object_upload.hpp"

#include "base/log.hpp"
#include "base/scope_exit.hpp"
#include "daemon/async/hop.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/scheduling/turn.hpp"
#include "daemon/transfer/paced_transport.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace wharf::transfer {

namespace {

std::uint64_t jitter_seed(const std::string& oid) {
    return std::hash<std::string>{}(oid) ^
           static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

/// The URL will not be taken again, another may be.
bool is_expired(const Error& error) noexcept {
    return error.kind() == ErrorKind::unavailable && error.is_lasting();
}

/// What was sent is not what was wanted, or is not known (any more).
bool is_refusal(const Error& error) noexcept {
    return is_expired(error) || error.kind() == ErrorKind::invalid_request ||
           error.kind() == ErrorKind::integrity || error.kind() == ErrorKind::file_not_found;
}

Awaitable<std::string> put_part(hub::UploadClient& hub, std::string url,
                                std::shared_ptr<FilePart> body, bool in_parts) {
    std::string etag = co_await hub.put(std::move(url), body);
    if (!body->is_whole()) {
        throw Error{ErrorKind::protocol,
                    "the storage answered before it had all of a file's bytes"};
    }
    if (in_parts && etag.empty()) {
        throw Error{ErrorKind::protocol, "the storage gave no ETag for a part of a file"};
    }
    co_return etag;
}

} // namespace

ObjectUpload::ObjectUpload(const UploadContext& context, ObjectQuestions& questions,
                           SentParts& parts, ObjectOrder& order)
    : context_{context}, questions_{questions}, parts_{parts}, order_{order}, lane_{context.lanes},
      retry_{context.options.retry, jitter_seed(order.object.oid)} {}

Awaitable<> ObjectUpload::run() {
    count_sent();
    for (bool has_urls = parts_.has_action();; has_urls = false) {
        if (!has_urls) {
            const bool there = co_await is_there();
            if (there) {
                break;
            }
            co_await look_into_refusal();
        }
        co_await send_missing();
        if (!fault_) {
            co_await finish();
        }
        if (!fault_) {
            break;
        }
        co_await face(*std::exchange(fault_, std::nullopt));
    }
    *order_.sent = order_.object.size;
}

void ObjectUpload::count_sent() {
    *order_.sent = parts_.bytes_sent();
}

/// Asks the Hub; when it has the object not, it has said where to put it.
Awaitable<bool> ObjectUpload::is_there() {
    hub::ObjectAnswer answer =
        co_await questions_.ask(order_.target, order_.object, order_.for_pull_request, order_.note);
    if (answer.refusal) {
        throw *std::move(answer.refusal);
    }
    if (!answer.action) {
        co_return true;
    }
    const bool kept = parts_.renew(*std::move(answer.action), may_keep_);
    may_keep_ = true;
    put_together_ = false;
    count_sent();
    co_await order_.record->action_given(parts_.action(), kept);
    co_return false;
}

Awaitable<> ObjectUpload::send_missing() {
    trouble_ = nullptr;
    working_ = std::min(context_.options.max_connections_per_file, parts_.missing());
    async::TaskGroup workers{context_.executor};
    for (std::size_t i = 0; i < working_; ++i) {
        workers.spawn("parts of " + order_.object.oid, work());
    }
    try {
        while (working_ > 0 && !trouble_) {
            co_await changed_.wait();
        }
    } catch (...) { // rethrown when the workers, who use this object, are gone
        trouble_ = std::current_exception();
    }
    workers.cancel();
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await workers.join();
    co_await asio::this_coro::reset_cancellation_state();
    if (trouble_) {
        std::rethrow_exception(trouble_);
    }
}

Awaitable<> ObjectUpload::work() {
    const ScopeExit over{[this] {
        --working_;
        changed_.notify_all();
    }};
    try {
        // Looked at each time: while a part is taken down, being cancelled goes unnoticed.
        while (!fault_ && !trouble_) {
            const auto part = parts_.begin_next();
            if (!part) {
                co_return;
            }
            co_await send_part(*part);
        }
    } catch (...) { // rethrown by send_missing()
        trouble_ = trouble_ ? trouble_ : std::current_exception();
    }
}

/// One try at a part. After a failure others may take it.
Awaitable<> ObjectUpload::send_part(std::size_t part) {
    const net::Url url = net::Url::parse(parts_.url(part)).value();
    std::optional<Error> failure;
    {
        const ScopeExit give_back{[this, part] { parts_.give_back(part); }};
        failure = co_await try_part(part, url.authority());
    }
    if (!failure) {
        retry_.progress();
    } else if (is_expired(*failure)) {
        fault_ = std::move(failure);
    } else if (failure->kind() != ErrorKind::rate_limited ||
               !context_.gate.is_closed(url.authority(), {}, hub::Bucket::files)) {
        co_await recover(*std::move(failure)); // else we wait at the gate, and say how long
    }
}

/// Waits for its turn and lets the lane send.
Awaitable<std::optional<Error>> ObjectUpload::try_part(std::size_t part, std::string host) {
    scheduling::Connections::Claim claim{
        .who = order_.claimant, .host = std::move(host), .bytes = parts_.size_of(part)};
    scheduling::Turn turn =
        co_await scheduling::wait_for_turn(context_.gate, context_.connections, std::move(claim),
                                           {}, order_.note, retry_.longest_asked());
    auto& lane = lane_.enter();
    const ScopeExit idle{[this] { lane_.leave(); }};
    const auto body = body_of(part, turn.connection.line(), lane.executor);
    ScopeExit not_sent{[body] { body->rewind(); }};
    std::string etag;
    try {
        etag = co_await async::run_on(
            lane.executor, put_part(lane.uploads, parts_.url(part), body, parts_.is_in_parts()));
    } catch (const Error& error) {
        turn.connection.failed(error);
        co_return error;
    }
    not_sent.release();
    parts_.set_sent(part, etag);
    // The storage has it. To be cancelled from here on, or since it answered, is not to lose that.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await order_.record->part_sent(part, std::move(etag));
    co_await asio::this_coro::reset_cancellation_state();
    co_return std::nullopt;
}

std::shared_ptr<FilePart> ObjectUpload::body_of(std::size_t part,
                                                std::shared_ptr<scheduling::ConnectionLine> line,
                                                Executor lane) {
    return std::make_shared<FilePart>(
        PartOrder{.file = order_.file,
                  .begin = parts_.begin_of(part),
                  .size = parts_.size_of(part),
                  .connection = std::move(line),
                  .allowance = context_.bandwidth.open(order_.claimant, std::move(lane)),
                  .sent = order_.sent,
                  .pool = &context_.pool});
}

Awaitable<> ObjectUpload::finish() {
    for (;;) {
        std::optional<Error> failure;
        try {
            co_await ask_to_finish();
        } catch (const Error& error) {
            failure = error;
        }
        if (failure && !is_refusal(*failure)) {
            co_await recover(*std::move(failure));
            continue;
        }
        fault_ = std::move(failure);
        co_return;
    }
}

Awaitable<> ObjectUpload::ask_to_finish() {
    PacedTransport paced{
        context_.transport, context_.gate, order_.note, retry_.longest_asked(), {}};
    hub::UploadClient hub{paced, context_.endpoint};
    const hub::UploadAction& action = parts_.action();
    if (parts_.is_in_parts() && !put_together_) {
        co_await hub.complete(action.href, order_.object.oid, parts_.etags());
        put_together_ = true;
        retry_.progress();
    }
    if (!action.verify.empty()) {
        co_await hub.verify(action.verify, order_.object, order_.target.token);
    }
}

/// Waits until it makes sense to ask where to put the object once more.
Awaitable<> ObjectUpload::face(Error fault) {
    if (!parts_.is_complete()) { // a part's URL has expired
        co_await recover(std::move(fault));
        co_return;
    }
    log::warning("transfer", "{}: {}; asking the Hub for it", order_.object.oid, fault.message());
    ++refusals_;
    may_keep_ = is_expired(fault) && refusals_ == 1;
    refusal_ = std::move(fault);
}

/// The Hub has still not what was sent: whose fault is it, and may sending it again help?
Awaitable<> ObjectUpload::look_into_refusal() {
    if (!refusal_) {
        co_return;
    }
    const Error refusal = *std::exchange(refusal_, std::nullopt);
    if (is_expired(refusal)) {
        if (refusals_ > most_expiries) {
            throw refusal;
        }
        co_return;
    }
    const std::string hash = co_await sha256_of(order_.file, order_.object.size, context_.pool);
    if (hash != order_.object.oid) {
        throw Error{ErrorKind::integrity, "the file changed while it was uploaded",
                    "upload it again when nothing writes to it any more"};
    }
    if (refusals_ > most_refusals) {
        throw Error{ErrorKind::integrity,
                    fmt::format("the Hub does not take what it got: {}", refusal.message()),
                    "a proxy on the way may damage files"};
    }
}

Awaitable<> ObjectUpload::recover(Error error) {
    // An outage hits all connections of the file: that is one failure, not one for each.
    const auto now = std::chrono::steady_clock::now();
    const bool counted = now < retry_at_;
    const auto delay = retry_.next(error, counted);
    if (!delay) {
        throw error;
    }
    if (!counted) {
        retry_at_ = now + *delay;
    }
    log::warning("transfer", "{}: {}; trying again in {} ms", order_.object.oid, error.message(),
                 delay->count());
    order_.note->reason = fmt::format("{}; trying again", error.message());
    const ScopeExit healed{[note = order_.note] { note->reason.clear(); }};
    co_await async::sleep_for(*delay);
}

} // namespace wharf::transfer
