#include "daemon/async/foreign_fd.hpp"

#include <boost/asio/post.hpp>

#include <exception>
#include <map>
#include <mutex>
#include <unistd.h>
#include <utility>
#include <vector>

namespace wharf::async {

namespace {

/// Descriptors that are left open when nobody has closed them: closing them might hang whoever is
/// not ready for it.
struct Unclosed {
    Unclosed() = default;
    Unclosed(const Unclosed&) = delete;
    ~Unclosed() {
        for (auto& fd : fds) {
            fd.release();
        }
    }

    std::vector<UniqueFd> fds;
};

} // namespace

struct FdCloser::State : std::enable_shared_from_this<State> {
    State(Executor e, Close c, FdCloser& o)
        : executor{std::move(e)}, close{std::move(c)}, owner{&o} {}

    void give_up(uid_t uid, UniqueFd& fd);
    void close_all(uid_t uid, std::vector<UniqueFd>& fds);

    std::mutex mutex;
    Executor executor; ///< used under the mutex while there is an owner: its loop is there then
    const Close close;
    FdCloser* owner;                                    ///< ends on the control thread
    std::map<uid_t, std::shared_ptr<Unclosed>> waiting; ///< for the control thread
    std::map<uid_t, std::size_t> open;                  ///< with those that are being closed
};

void FdCloser::State::give_up(uid_t uid, UniqueFd& fd) {
    const std::scoped_lock lock{mutex};
    if (owner == nullptr) {
        fd.release();
        return;
    }
    auto& fds = waiting[uid];
    if (!fds) { // those that follow soon go along
        auto made = std::make_shared<Unclosed>();
        asio::post(executor, [state = shared_from_this(), uid] {
            if (state->owner != nullptr) {
                state->owner->begin(uid);
            }
        });
        fds = std::move(made);
    }
    auto& count = open[uid];
    fds->fds.push_back(std::move(fd));
    ++count;
}

void FdCloser::State::close_all(uid_t uid, std::vector<UniqueFd>& fds) {
    for (auto& fd : fds) {
        close(fd.release());
        const std::scoped_lock lock{mutex};
        const auto found = open.find(uid);
        if (--found->second == 0) {
            open.erase(found);
        }
    }
}

FdCloser::FdCloser(Executor executor) : FdCloser{std::move(executor), ::close} {}

FdCloser::FdCloser(Executor executor, Close close)
    : state_{std::make_shared<State>(executor, std::move(close), *this)}, calls_{executor} {}

FdCloser::~FdCloser() {
    const std::scoped_lock lock{state_->mutex};
    state_->owner = nullptr;
    state_->executor = {}; // a descriptor may keep the state long after the loop's end
}

ForeignFd FdCloser::own(UniqueFd fd, uid_t uid) const {
    return {std::move(fd), uid, state_};
}

std::size_t FdCloser::open(uid_t uid) const {
    const std::scoped_lock lock{state_->mutex};
    const auto found = state_->open.find(uid);
    return found == state_->open.end() ? 0 : found->second;
}

void FdCloser::begin(uid_t uid) {
    std::shared_ptr<Unclosed> fds;
    {
        const std::scoped_lock lock{state_->mutex};
        fds = std::move(state_->waiting.extract(uid).mapped());
    }
    calls_.start(uid, [state = state_, uid, fds] { state->close_all(uid, fds->fds); });
}

ForeignFd& ForeignFd::operator=(ForeignFd&& other) noexcept {
    if (this != &other) {
        reset();
        fd_ = std::move(other.fd_);
        uid_ = other.uid_;
        closer_ = std::move(other.closer_);
    }
    return *this;
}

void ForeignFd::reset() noexcept {
    if (!fd_ || !closer_) {
        fd_.reset();
        return;
    }
    try {
        closer_->give_up(uid_, fd_);
    } catch (const std::exception&) { // no memory for it: it stays open, which hangs nobody
        fd_.release();
    }
}

} // namespace wharf::async
