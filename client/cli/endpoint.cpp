#include "client/cli/endpoint.hpp"

#include "client/cli/failure.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace wharf::cli {

namespace {

/// The address up to the path, and the path.
struct Address {
    std::string origin;
    std::string path;
};

Address split(std::string_view text) {
    const auto scheme_end = text.find("://");
    const auto host = scheme_end == std::string_view::npos ? 0 : scheme_end + 3;
    const auto path = std::min(text.find('/', host), text.size());
    return {std::string{text.substr(0, path)}, std::string{text.substr(path)}};
}

void remove_suffix(std::string& text, std::string_view suffix) {
    if (text.ends_with(suffix)) {
        text.resize(text.size() - suffix.size());
    }
}

Address normalized(std::string_view text) {
    Address address = split(text);
    std::ranges::transform(address.origin, address.origin.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (address.origin.starts_with("https://")) {
        remove_suffix(address.origin, ":443");
    } else if (address.origin.starts_with("http://")) {
        remove_suffix(address.origin, ":80");
    }
    while (address.path.ends_with('/')) {
        address.path.pop_back();
    }
    return address;
}

/// The address without a user's name and password, for messages.
std::string without_userinfo(std::string_view text) {
    Address address = split(text);
    if (const auto at = address.origin.rfind('@'); at != std::string::npos) {
        const auto scheme_end = address.origin.find("://");
        const auto begin = scheme_end == std::string::npos ? 0 : scheme_end + 3;
        address.origin.erase(begin, at + 1 - begin);
    }
    return address.origin + address.path;
}

} // namespace

bool is_same_endpoint(std::string_view one, std::string_view other) {
    const Address a = normalized(one);
    const Address b = normalized(other);
    return a.origin == b.origin && a.path == b.path;
}

std::optional<std::string> wanted_endpoint(const Environment& environment) {
    return non_empty(environment, "HF_ENDPOINT");
}

std::optional<std::string> check_endpoint(std::string_view wanted, std::string_view daemons,
                                          bool has_token) {
    if (is_same_endpoint(wanted, daemons)) {
        return std::nullopt;
    }
    const std::string difference =
        fmt::format("HF_ENDPOINT is {}, but the daemon asks {}", without_userinfo(wanted), daemons);
    if (!has_token) {
        return difference + "; what is there is downloaded";
    }
    throw Failure{
        protocol::ExitCode::usage, "org.wharf.client.OtherEndpoint",
        difference + ": your token is not sent there",
        "unset HF_ENDPOINT to use the daemon's Hub, give --token \"\" to ask it without a "
        "token, or name a daemon for your Hub with --socket"};
}

} // namespace wharf::cli
