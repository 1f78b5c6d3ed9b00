#pragma once

#include "base/error.hpp"
#include "daemon/hub/types.hpp"
#include "daemon/net/headers.hpp"
#include "daemon/net/url.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace wharf::hub {

/// What a question was about, for sentences.
struct Subject {
    RepoId repo;          ///< without a name: not about a repo
    std::string revision; ///< as asked; empty: the repo as a whole
    std::string path;     ///< empty: not about one file
    /// What sentences say in place of all these. For a blob that several ask for, each from a repo
    /// and by a path of his own: none is to hear of the others'. The Hub's own words, which may
    /// name them, are left out then.
    std::string_view alias = {};
};

/// A file's bytes, whoever asks for them.
Subject shared_file(const RepoId& repo, std::string_view revision);

/// The account that a token belongs to.
Subject token_account();

/// "model org/name".
std::string describe(const RepoId& repo);

/// "'config.json' of model org/name at 'main'", or less where less is known.
std::string describe(const Subject& subject);

/// An answer that is not what was asked for.
struct Refusal {
    unsigned status = 0;
    const net::Headers& headers;
    std::string_view body; ///< its beginning; only read for what the Hub says for people
    std::chrono::system_clock::time_point now;
};

/// The Error that an answer of the Hub itself means. X-Error-Code decides before the status does,
/// as for the official client. What is refused to the asker himself names the repo also where the
/// subject has an alias: such an Error is for nobody else. A repo that does not exist and one that
/// the token may not see give the same Error: not even the Hub's own words, which differ, get
/// through.
Error hub_error(const Refusal& refusal, const Subject& subject);

/// The same for what changes something: conflict when the branch is not where the asker said;
/// invalid_request, in the Hub's words, when it finds fault with what was sent; file_not_found when
/// something is to be deleted that is not there; unauthorized and forbidden say what the token
/// lacks.
Error write_error(const Refusal& refusal, const Subject& subject);

/// The Error that a refusal to take an object means, from wherever the Hub wants it: `unavailable`
/// and lasting where a fresh URL may help, integrity when the object is not what was announced.
Error upload_error(const Refusal& refusal, const net::Url& location, const Subject& subject);

/// The Error that an answer from where the Hub sent us means (a CDN, a signed URL). Such hosts know
/// nothing of repos: what they refuse may be had again with a fresh URL, so it is `unavailable`.
Error location_error(const Refusal& refusal, const net::Url& location, const Subject& subject);

/// The Hub could not be asked, which says nothing about the repo or who may read it.
bool hub_is_away(const Error& error) noexcept;

/// The Hub was asked, and says that the asker may not see the repo.
bool is_refusal(const Error& error) noexcept;

} // namespace wharf::hub
