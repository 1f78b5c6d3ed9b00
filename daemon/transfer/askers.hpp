#pragma once

#include "base/error.hpp"
#include "daemon/hub/hub_client.hpp"
#include "daemon/scheduling/claimant.hpp"

#include <cstddef>
#include <exception>
#include <functional>
#include <list>
#include <optional>

namespace wharf::transfer {

/// Those who want the same blob, each from a repo and with a token of his own. We ask in the name
/// of the first one only, and of the next when he leaves, turns out not to have access, or has used
/// up what the Hub lets him ask. Control thread.
class Askers {
  public:
    struct Asker {
        hub::FileSource source;
        scheduling::Claimant claimant;
        std::exception_ptr refusal; ///< what he was told, when he in particular may not have it
    };
    using Place = std::list<Asker>::iterator; ///< stays valid until it is given up

    Place add(hub::FileSource source, scheduling::Claimant claimant = {});

    /// True when it was the one in whose name we ask.
    bool leave(Place place);

    /// In whose name we ask. None: nobody is left who was not refused.
    const hub::FileSource* lead() const noexcept;

    /// Puts the first one in front who was not refused and meets the condition. False: nobody does.
    bool put_first(const std::function<bool(const hub::FileSource&)>& condition);

    /// As lead(), for whoever cannot go on without: a cancelled Error if there is none.
    const hub::FileSource& asking() const;

    /// On whose account the bytes are moved: the most urgent of those who were not refused, of
    /// these the first. None: nobody is left.
    std::optional<scheduling::Claimant> claimant() const noexcept;

    /// What an account has in it: what it asked for first (null: nothing, or it was refused), and
    /// how often it asks.
    struct Share {
        const hub::FileSource* source = nullptr;
        std::size_t count = 0;
    };
    Share share_of(uid_t uid) const noexcept;

    /// If the Error says that this asker may not have it, rather than something about the bytes:
    /// takes it down for him and for whoever asks in just the same way (by this repo and token; for
    /// a missing file or revision, by these too), and for nobody else. False, and nothing is done,
    /// if not: then it concerns everybody.
    bool refuse(const hub::FileSource& source, const Error& error);

    bool empty() const noexcept { return askers_.empty(); }
    std::size_t size() const noexcept { return askers_.size(); }

  private:
    std::list<Asker> askers_;
};

} // namespace wharf::transfer
