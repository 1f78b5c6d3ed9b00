#include "daemon/hub/dom_json.hpp"
#include "daemon/hub/header_fields.hpp"
#include "daemon/hub/text.hpp"
#include "daemon/hub/upload_json.hpp"
#include "daemon/hub/urls.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

// The answer of git-lfs's batch API as the Hub has it: an upload in parts is told by numbers among
// the "headers" of the action, which are no headers but the addresses of the parts.

namespace wharf::hub {

namespace {

constexpr std::uint64_t most_parts = 100'000; // object stores allow 10,000

/// An address that bytes will be sent to. Never quoted: its query is a secret.
Result<net::Url> place_of(const Value& value, std::string_view where, std::string_view key,
                          const net::Url& endpoint) {
    const auto text = text_of(value, where, key);
    if (!text) {
        return text.error();
    }
    auto url = net::Url::parse(*text);
    if (!url) {
        return malformed(where, fmt::format("its \"{}\" is not a web address", key));
    }
    if (endpoint.is_tls() && !url->is_tls()) {
        return malformed(where, fmt::format("its \"{}\" is without encryption", key));
    }
    return url;
}

/// A number, also in quotes: header values are texts.
Result<std::uint64_t> chunk_size_of(const Value& value, std::string_view where) {
    std::string_view text;
    if (value && value->get(text) == simdjson::SUCCESS) {
        if (const auto number = parse_number(text)) {
            return *number;
        }
    }
    return number_of(value, where, "chunk_size");
}

std::uint64_t parts_needed(std::uint64_t size, std::uint64_t chunk) noexcept {
    return size / chunk + (size % chunk != 0);
}

/// The addresses of the parts, numbered from 1 in keys like "1" or "00001".
Result<std::vector<std::string>> read_parts(dom::object header, std::uint64_t count,
                                            std::string_view where, const net::Url& endpoint) {
    std::vector<std::string> parts(count);
    std::uint64_t came = 0;
    for (const dom::key_value_pair field : header) {
        const auto number = parse_number(field.key);
        if (!number) {
            continue;
        }
        if (*number < 1 || *number > count || !parts[*number - 1].empty()) {
            return malformed(where, "its parts are too many, or one comes twice");
        }
        const auto url = place_of(field.value, where, "part", endpoint);
        if (!url) {
            return url.error();
        }
        parts[*number - 1] = url->to_string();
        ++came;
    }
    if (came != count) {
        return malformed(where, fmt::format("it has {} parts instead of {}", came, count));
    }
    return parts;
}

/// Fills in how an object is to be cut, if it is.
Result<void> read_cut(const Value& header, std::uint64_t size, std::string_view where,
                      const net::Url& endpoint, UploadAction& action) {
    dom::object fields;
    if (!header) {
        return {};
    }
    if (header->get(fields) != simdjson::SUCCESS) {
        return malformed(where, "its \"header\" is not an object");
    }
    Value chunk;
    const Wanted wanted[] = {{"chunk_size", &chunk}};
    if (auto taken = take(*header, where, wanted); !taken || !chunk) {
        return taken;
    }
    const auto chunk_size = chunk_size_of(chunk, where);
    if (!chunk_size) {
        return chunk_size.error();
    }
    if (*chunk_size == 0 || size == 0 || parts_needed(size, *chunk_size) > most_parts) {
        return malformed(where, "its \"chunk_size\" makes no sense");
    }
    auto parts = read_parts(fields, parts_needed(size, *chunk_size), where, endpoint);
    if (!parts) {
        return parts.error();
    }
    action.chunk_size = *chunk_size;
    action.parts = *std::move(parts);
    return {};
}

Result<UploadAction> read_actions(dom::element element, std::uint64_t size, std::string_view where,
                                  const net::Url& endpoint) {
    Value upload;
    Value verify;
    const Wanted wanted[] = {{"upload", &upload}, {"verify", &verify}};
    if (auto taken = take(element, where, wanted); !taken) {
        return taken.error();
    }
    if (!upload) {
        return malformed(where, "its \"actions\" have no \"upload\"");
    }
    Value href;
    Value header;
    const Wanted of_upload[] = {{"href", &href}, {"header", &header}};
    if (auto taken = take(*upload, where, of_upload); !taken) {
        return taken.error();
    }
    auto target = place_of(href, where, "href", endpoint);
    if (!target) {
        return target.error();
    }
    UploadAction action;
    action.href = at_endpoint(*std::move(target), endpoint).to_string();
    if (auto read = read_cut(header, size, where, endpoint, action); !read) {
        return read.error();
    }
    if (verify) {
        Value there;
        const Wanted of_verify[] = {{"href", &there}};
        if (auto taken = take(*verify, where, of_verify); !taken) {
            return taken.error();
        }
        auto url = place_of(there, where, "verify.href", endpoint);
        if (!url) {
            return url.error();
        }
        action.verify = at_endpoint(*std::move(url), endpoint).to_string();
    }
    return action;
}

/// The kind of error that a code of HTTP, given for one object, means.
ErrorKind kind_of(std::uint64_t code) noexcept {
    switch (code) {
    case 401:
    case 402:
    case 403:
        return ErrorKind::forbidden;
    case 408:
    case 409:
        return ErrorKind::unavailable;
    case 429:
        return ErrorKind::rate_limited;
    default:
        return code >= 500 ? ErrorKind::unavailable : ErrorKind::invalid_request;
    }
}

Error read_refusal(dom::element element, std::string_view where) {
    std::uint64_t code = 0;
    std::string_view message;
    if (element["code"].get(code) != simdjson::SUCCESS) {
        code = 0; // the kind for all that waiting does not heal
    }
    std::string said;
    if (element["message"].get(message) == simdjson::SUCCESS) {
        said = spoken_text(message);
    }
    const ErrorKind kind = kind_of(code);
    return Error{
        kind, fmt::format("the Hub does not take {}{}{}", where, said.empty() ? "" : ": ", said),
        kind == ErrorKind::invalid_request ? "make the file smaller, or leave it out" : ""};
}

/// The values of an object's answer that matter.
struct RawAnswer {
    Value oid;
    Value size;
    Value actions;
    Value error;
};

Result<ObjectAnswer> read_answer(const RawAnswer& raw, const LfsObject& object,
                                 const net::Url& endpoint) {
    const std::string where = fmt::format("object {}", object.oid);
    ObjectAnswer answer;
    if (raw.error) {
        answer.refusal = read_refusal(*raw.error, where);
        return answer;
    }
    const auto size = number_of(raw.size, where, "size");
    if (!size) {
        return size.error();
    }
    if (*size != object.size) {
        return malformed(where, fmt::format("it has {} bytes, not {}", object.size, *size));
    }
    if (raw.actions) {
        auto action = read_actions(*raw.actions, object.size, where, endpoint);
        if (!action) {
            return action.error();
        }
        answer.action = *std::move(action);
    }
    return answer;
}

Result<RawAnswer> take_answer(dom::element element) {
    RawAnswer raw;
    const Wanted wanted[] = {
        {"oid", &raw.oid}, {"size", &raw.size}, {"actions", &raw.actions}, {"error", &raw.error}};
    if (auto taken = take(element, "an object", wanted); !taken) {
        return taken.error();
    }
    return raw;
}

} // namespace

Result<std::vector<ObjectAnswer>> batch_from_json(std::string_view body,
                                                  std::span<const LfsObject> objects,
                                                  const net::Url& endpoint) {
    dom::parser parser;
    const auto items = list_in(parser, body, "objects");
    if (!items) {
        return items.error();
    }
    Places open;
    for (const LfsObject& object : objects) {
        open.emplace(object.oid, open.size());
    }
    std::vector<ObjectAnswer> answers(objects.size());
    for (const dom::element item : *items) {
        const auto raw = take_answer(item);
        if (!raw) {
            return raw.error();
        }
        const auto oid = text_of(raw->oid, "an object", "oid");
        if (!oid) {
            return oid.error();
        }
        const auto place = claim(open, *oid);
        if (!place) {
            return place.error();
        }
        auto answer = read_answer(*raw, objects[*place], endpoint);
        if (!answer) {
            return answer.error();
        }
        answers[*place] = *std::move(answer);
    }
    if (auto all = check_all_came(open); !all) {
        return all.error();
    }
    return answers;
}

} // namespace wharf::hub
