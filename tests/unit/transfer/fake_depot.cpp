#include "tests/unit/transfer/fake_depot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <regex>
#include <thread>

namespace wharf::test {

namespace {

/// What follows `name` in the URL's query.
std::string query_of(const std::string& target, const std::string& name) {
    const auto at = target.find(name + "=");
    if (at == std::string::npos) {
        return {};
    }
    const auto begin = at + name.size() + 1;
    return target.substr(begin, target.find('&', begin) - begin);
}

std::string oid_in(const std::string& target) {
    const auto at = target.find("oid=");
    return at == std::string::npos ? "" : target.substr(at + 4, 64);
}

std::vector<std::string> all_matches(const std::string& text, const std::string& pattern) {
    std::vector<std::string> found;
    const std::regex regex{pattern};
    for (std::sregex_iterator match{text.begin(), text.end(), regex};
         match != std::sregex_iterator{}; ++match) {
        found.push_back((*match)[1].str());
    }
    return found;
}

} // namespace

std::string refusal(int status, const std::string& body, const std::string& fields) {
    return fmt::format("HTTP/1.1 {} No\r\nContent-Length: {}\r\n{}\r\n{}", status, body.size(),
                       fields, body);
}

FakeDepot::FakeDepot() : server_{[this](Peer& peer, int) { serve(peer); }} {}

std::string FakeDepot::url(const std::string& target) const {
    return fmt::format("http://127.0.0.1:{}{}", server_.port(), target);
}

int FakeDepot::count(const std::string& request) const {
    const std::lock_guard lock{mutex_};
    return static_cast<int>(std::ranges::count_if(
        requests_, [&](const auto& one) { return one.starts_with(request); }));
}

std::vector<std::string> FakeDepot::requests() const {
    const std::lock_guard lock{mutex_};
    return requests_;
}

std::string FakeDepot::content(const std::string& oid) const {
    const std::lock_guard lock{mutex_};
    const auto found = objects_.find(oid);
    return found == objects_.end() ? "" : found->second.content;
}

int FakeDepot::most_at_once() const {
    const std::lock_guard lock{mutex_};
    return most_at_once_;
}

void FakeDepot::serve(Peer& peer) {
    for (auto request = peer.read_request(); !request.empty(); request = peer.read_request()) {
        const bool is_put = request.starts_with("PUT");
        if (is_put) {
            {
                const std::lock_guard lock{mutex_};
                most_at_once_ = std::max(most_at_once_, ++at_once_);
            }
            std::this_thread::sleep_for(std::chrono::milliseconds{2}); // storing takes its time
        }
        const std::string said = answer_to(request);
        if (is_put) {
            const std::lock_guard lock{mutex_};
            --at_once_;
        }
        if (said == "cut") {
            return;
        }
        peer.write(said);
    }
}

std::string FakeDepot::answer_to(const std::string& request) {
    const std::lock_guard lock{mutex_};
    const std::string line = request.substr(0, request.find(" HTTP/1.1"));
    const std::string target = line.substr(line.find(' ') + 1);
    const std::string body = request.substr(request.find("\r\n\r\n") + 4);
    requests_.push_back(line);
    if (const auto said = before ? before(line) : ""; !said.empty()) {
        return said;
    }
    if (line.starts_with("PUT ")) {
        return put(target, body);
    }
    if (target.ends_with("/info/lfs/objects/batch")) {
        return batch(body);
    }
    return target.starts_with("/complete") ? complete(target, body) : answer("{}");
}

std::string FakeDepot::batch(const std::string& body) {
    const auto oids = all_matches(body, R"re("oid"\s*:\s*"([0-9a-f]{64})")re");
    const auto sizes = all_matches(body, R"re("size"\s*:\s*([0-9]+))re");
    std::string objects;
    for (std::size_t i = 0; i < oids.size(); ++i) {
        std::string rest;
        if (refused.contains(oids[i])) {
            rest = fmt::format(R"(,"error":{{"code":422,"message":"{}"}})", refused[oids[i]]);
        } else if (!there.contains(oids[i])) {
            rest = fmt::format(R"(,"actions":{})", actions_of(oids[i], std::stoull(sizes[i])));
        }
        objects += fmt::format(R"({}{{"oid":"{}","size":{}{}}})", i > 0 ? "," : "", oids[i],
                               sizes[i], rest);
    }
    return answer(fmt::format(R"({{"transfer":"basic","objects":[{}]}})", objects),
                  "Content-Type: application/vnd.git-lfs+json\r\n");
}

std::string FakeDepot::actions_of(const std::string& oid, std::uint64_t size) {
    const std::string query = fmt::format("?oid={}&sig={}&uploadId={}", oid, signature, upload);
    const std::string verify =
        fmt::format(R"("verify":{{"href":"{}"}})", url("/verify?oid=" + oid));
    if (chunk == 0) {
        return fmt::format(R"({{"upload":{{"href":"{}"}},{}}})", url("/whole" + query), verify);
    }
    std::string header = fmt::format(R"("chunk_size":"{}")", chunk);
    for (std::uint64_t part = 0; part * chunk < size; ++part) {
        header +=
            fmt::format(R"(,"{}":"{}")", part + 1, url(fmt::format("/part/{}{}", part, query)));
    }
    return fmt::format(R"({{"upload":{{"href":"{}","header":{{{}}}}},{}}})",
                       url("/complete" + query), header, verify);
}

std::string FakeDepot::put(const std::string& target, const std::string& body) {
    if (!takes_signature.empty() && query_of(target, "sig") != takes_signature) {
        return refusal(403, "expired");
    }
    auto& object = objects_[oid_in(target)];
    if (target.starts_with("/whole")) {
        object.content = body;
        there.insert(oid_in(target));
        return answer("", "ETag: \"whole\"\r\n");
    }
    if (const auto id = query_of(target, "uploadId"); id != object.upload) {
        object.upload = id;
        object.parts.clear();
    }
    const int part = std::stoi(target.substr(target.rfind('/') + 1));
    object.parts[part] = body;
    return answer("", fmt::format("ETag: \"etag-{}\"\r\n", part));
}

std::string FakeDepot::complete(const std::string& target, const std::string& body) {
    const std::string oid = oid_in(target);
    auto& object = objects_[oid];
    const auto etags = all_matches(body, R"re("etag"\s*:\s*"\\"etag-([0-9]+)\\"")re");
    if (there.contains(oid) || etags.size() != object.parts.size()) {
        return refusal(404, "no such upload");
    }
    std::string whole;
    for (std::size_t i = 0; i < etags.size(); ++i) {
        if (std::stoul(etags[i]) != i) {
            return refusal(400, "parts in disorder");
        }
        whole += object.parts[static_cast<int>(i)];
    }
    object.content = whole;
    there.insert(oid);
    return answer("{}");
}

} // namespace wharf::test
