#include "daemon/transfer/askers.hpp"

#include <algorithm>

namespace wharf::transfer {

namespace {

/// Errors that say who may have the file, and nothing about the file.
bool is_about_asker(ErrorKind kind) noexcept {
    return kind == ErrorKind::unauthorized || kind == ErrorKind::gated ||
           kind == ErrorKind::forbidden || kind == ErrorKind::repo_not_found ||
           kind == ErrorKind::revision_not_found || kind == ErrorKind::file_not_found;
}

} // namespace

Askers::Place Askers::add(hub::FileSource source, scheduling::Claimant claimant) {
    return askers_.insert(askers_.end(), Asker{std::move(source), claimant, nullptr});
}

bool Askers::leave(Place place) {
    const bool led = lead() == &place->source;
    askers_.erase(place);
    return led;
}

const hub::FileSource* Askers::lead() const noexcept {
    const auto first =
        std::ranges::find_if(askers_, [](const Asker& asker) { return !asker.refusal; });
    return first == askers_.end() ? nullptr : &first->source;
}

bool Askers::put_first(const std::function<bool(const hub::FileSource&)>& condition) {
    const auto found = std::ranges::find_if(
        askers_, [&](const Asker& asker) { return !asker.refusal && condition(asker.source); });
    if (found == askers_.end()) {
        return false;
    }
    askers_.splice(askers_.begin(), askers_, found); // places stay valid
    return true;
}

const hub::FileSource& Askers::asking() const {
    if (const auto* source = lead()) {
        return *source;
    }
    throw Error{ErrorKind::cancelled, "nobody asks for this file any more"};
}

std::optional<scheduling::Claimant> Askers::claimant() const noexcept {
    std::optional<scheduling::Claimant> best;
    for (const auto& asker : askers_) {
        if (!asker.refusal && (!best || asker.claimant.priority < best->priority)) {
            best = asker.claimant;
        }
    }
    return best;
}

Askers::Share Askers::share_of(uid_t uid) const noexcept {
    Share share;
    for (const auto& asker : askers_) {
        if (!asker.refusal && asker.claimant.uid == uid) {
            share.source = share.source != nullptr ? share.source : &asker.source;
            ++share.count;
        }
    }
    return share;
}

bool Askers::refuse(const hub::FileSource& source, const Error& error) {
    if (!is_about_asker(error.kind())) {
        return false;
    }
    const bool about_path =
        error.kind() == ErrorKind::revision_not_found || error.kind() == ErrorKind::file_not_found;
    for (Asker& asker : askers_) {
        const bool same_repo =
            asker.source.repo == source.repo && asker.source.token == source.token;
        const bool same_path =
            asker.source.commit == source.commit && asker.source.path == source.path;
        if (!asker.refusal && same_repo && (same_path || !about_path)) {
            asker.refusal = std::make_exception_ptr(error);
        }
    }
    return true;
}

} // namespace wharf::transfer
