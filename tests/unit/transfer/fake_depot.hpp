#pragma once

#include "tests/unit/net/test_server.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace wharf::test {

/// A Hub and the storage behind it in one, on loopback: takes objects as git-lfs and the Hub's
/// uploads of parts have it. What is public is set before it is asked, or by `before`.
class FakeDepot {
  public:
    FakeDepot();

    std::uint64_t chunk = 0;                    ///< 0: every object goes in one request
    std::string upload = "upload-1";            ///< in the query of parts' URLs; empty: not there
    std::string takes_signature;                ///< empty: any; else others have expired
    std::string signature = "s1";               ///< of the URLs that are given out
    std::set<std::string> there;                ///< objects
    std::map<std::string, std::string> refused; ///< objects, with why
    /// Sees each request ("PUT /part/0") before it is answered, with the depot locked, and may say
    /// what is answered instead; "cut" ends the connection.
    std::function<std::string(const std::string& request)> before;

    std::uint16_t port() const noexcept { return server_.port(); }
    std::string url(const std::string& target) const;

    /// How many requests there were that begin with this.
    int count(const std::string& request) const;
    std::vector<std::string> requests() const;

    /// What was put for an object, in one request or put together.
    std::string content(const std::string& oid) const;

    /// The most PUTs that were on their way at the same time.
    int most_at_once() const;

  private:
    struct Object {
        std::map<int, std::string> parts;
        std::string upload; ///< that the parts belong to
        std::string content;
    };

    void serve(Peer& peer);
    std::string answer_to(const std::string& request);
    std::string batch(const std::string& body);
    std::string actions_of(const std::string& oid, std::uint64_t size);
    std::string put(const std::string& target, const std::string& body);
    std::string complete(const std::string& target, const std::string& body);

    mutable std::mutex mutex_;
    std::map<std::string, Object> objects_;
    std::vector<std::string> requests_;
    int at_once_ = 0;
    int most_at_once_ = 0;
    TestServer server_; ///< last: its threads use all this
};

/// An answer without success.
std::string refusal(int status, const std::string& body = "", const std::string& fields = "");

} // namespace wharf::test
