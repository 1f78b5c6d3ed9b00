#include "daemon/hub/dom_json.hpp"

#include "base/digest.hpp"
#include "daemon/hub/text.hpp"

#include <fmt/format.h>

#include <vector>

namespace wharf::hub {

Error malformed(std::string_view what) {
    return Error{ErrorKind::protocol, fmt::format("the Hub's answer cannot be used: {}", what)};
}

Error malformed(std::string_view where, std::string_view what) {
    return malformed(fmt::format("{}: {}", where, what));
}

Result<dom::element> parse_json(dom::parser& parser, std::string_view body) {
    if (body.empty()) {
        return malformed("it is empty");
    }
    if (body.starts_with("\xef\xbb\xbf")) {
        return malformed("it begins with a byte order mark");
    }
    dom::element root;
    if (const auto error = parser.parse(body.data(), body.size()).get(root)) {
        return malformed(simdjson::error_message(error));
    }
    return root;
}

Result<void> take(dom::element element, std::string_view where, std::span<const Wanted> wanted) {
    dom::object object;
    if (element.get(object) != simdjson::SUCCESS) {
        return malformed(where, "it is not an object");
    }
    std::vector<bool> seen(wanted.size(), false);
    for (const dom::key_value_pair field : object) {
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            if (wanted[i].key != field.key) {
                continue;
            }
            if (seen[i]) {
                return malformed(where, fmt::format("it has two keys \"{}\"", field.key));
            }
            seen[i] = true;
            if (!field.value.is_null()) {
                *wanted[i].value = field.value;
            }
        }
    }
    return {};
}

Result<std::string_view> text_of(const Value& value, std::string_view where, std::string_view key) {
    std::string_view text;
    if (!value || value->get(text) != simdjson::SUCCESS) {
        return malformed(where, fmt::format("its \"{}\" is missing or not a text", key));
    }
    return text;
}

Result<std::uint64_t> number_of(const Value& value, std::string_view where, std::string_view key) {
    std::uint64_t number = 0;
    if (!value || !value->is_uint64() || value->get(number) != simdjson::SUCCESS) {
        return malformed(where, fmt::format("its \"{}\" is missing or not a whole number", key));
    }
    return number;
}

Result<dom::array> list_of(const Value& value, std::string_view where, std::string_view key) {
    dom::array list;
    if (!value || value->get(list) != simdjson::SUCCESS) {
        return malformed(where, fmt::format("its \"{}\" is missing or not a list", key));
    }
    return list;
}

Result<dom::array> list_in(dom::parser& parser, std::string_view body, std::string_view key) {
    const auto root = parse_json(parser, body);
    if (!root) {
        return root.error();
    }
    Value list;
    const Wanted wanted[] = {{key, &list}};
    if (auto taken = take(*root, "the answer", wanted); !taken) {
        return taken.error();
    }
    return list_of(list, "the answer", key);
}

Result<std::size_t> claim(Places& open, std::string_view name) {
    const auto found = open.find(name);
    if (found == open.end()) {
        return malformed(fmt::format("{} was not asked for, or comes twice", quoted(name)));
    }
    const std::size_t place = found->second;
    open.erase(found);
    return place;
}

Result<void> check_all_came(const Places& open) {
    if (!open.empty()) {
        return malformed(fmt::format("it says nothing of {}", quoted(open.begin()->first)));
    }
    return {};
}

bool is_sha256(std::string_view text) noexcept {
    return text.size() == 64 && is_blob_name(text);
}

} // namespace wharf::hub
