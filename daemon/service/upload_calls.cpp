// org.wharf.Uploads. An upload is given its changes call by call, and Submit makes a job of it. The
// right to push is asked for in each of these calls: it may have been taken away meanwhile.
#include "daemon/service/upload_calls.hpp"

#include "daemon/hub/hub_error.hpp"
#include "daemon/service/call_token.hpp"
#include "daemon/service/job_telling.hpp"
#include "daemon/service/upload_wire.hpp"
#include "daemon/service/wire.hpp"

#include <memory>
#include <string>
#include <utility>

namespace wharf::service {

namespace {

std::uint64_t upload_of(const Call& call) {
    return static_cast<std::uint64_t>(call.parameters().at("upload").as_int64());
}

/// `repo` as it is meant, for the audit; empty where the call does not say.
void require_right_to_push(const Call& call, std::string repo) {
    if (!call.rights().upload) {
        throw may_not_push(std::move(repo));
    }
}

Awaitable<> begin(const UploadCallContext& context, Call& call) {
    jobs::UploadRequest request = read_upload(call.parameters(), call.peer().uid);
    require_right_to_push(call, hub::describe(request.repo));
    request.token = take_token(call, context.vault).token;
    const std::uint64_t upload = co_await context.uploads.begin(std::move(request));
    co_await call.reply({{"upload", static_cast<std::int64_t>(upload)}});
}

Awaitable<> add(const UploadCallContext& context, Call& call) {
    require_right_to_push(call, {});
    auto changes = read_changes(call.parameters(), call.descriptors());
    const jobs::Uploads::Added added =
        co_await context.uploads.add(call.peer().uid, upload_of(call), std::move(changes));
    co_await call.reply({{"files", static_cast<std::int64_t>(added.files)},
                         {"bytes", static_cast<std::int64_t>(added.bytes)},
                         {"shared", static_cast<std::int64_t>(added.shared)}});
}

Awaitable<> submit(const UploadCallContext& context, Call& call) {
    require_right_to_push(call, {});
    const uid_t uid = call.peer().uid;
    const std::uint64_t upload = upload_of(call);
    const bool detach = read_flag(call.parameters(), "detach");
    if (detach && context.uploads.is_attached(uid, upload)) {
        throw Error{ErrorKind::invalid_request,
                    "an attached push ends with the call that submits it, and cannot be detached",
                    "begin an upload that is not attached: its files are kept by the daemon"};
    }
    const std::unique_ptr<jobs::Watch> watch = co_await context.uploads.submit(uid, upload);
    const auto job = static_cast<std::int64_t>(watch->job().record().id);
    if (detach) {
        co_await call.reply({{"job", job}});
        co_return;
    }
    co_await await_telling(call, context.jobs, *watch);
    co_await call.reply(
        {{"job", job}, {"result", result_of(watch->job().info(), context.endpoint)}});
}

Awaitable<> discard(const UploadCallContext& context, Call& call) {
    co_await context.uploads.discard(call.peer().uid, upload_of(call));
    co_await call.reply();
}

} // namespace

void add_upload_calls(Dispatcher& dispatcher, UploadCallContext context) {
    const auto shared = std::make_shared<const UploadCallContext>(std::move(context));
    const auto add_row = [&](std::string name,
                             Awaitable<> (*handle)(const UploadCallContext&, Call&),
                             bool is_quick = false, bool takes_descriptors = false) {
        dispatcher.add({.name = "org.wharf.Uploads." + std::move(name),
                        .handler = [shared, handle](Call& call) { return handle(*shared, call); },
                        .takes_descriptors = takes_descriptors,
                        .is_quick = is_quick});
    };
    add_row("Begin", begin, true);
    add_row("Add", add, false, true);
    add_row("Submit", submit);
    add_row("Discard", discard, true);
}

} // namespace wharf::service
