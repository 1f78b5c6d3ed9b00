#include "daemon/store/tree_json.hpp"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <iterator>
#include <optional>

namespace wharf::store {

namespace {

constexpr std::int64_t format_version = 1;

void write_entry(std::string& out, const hub::TreeEntry& entry) {
    fmt::format_to(std::back_inserter(out), "  {}: {{\n   \"size\": {},\n   \"blob_id\": \"{}\"",
                   boost::json::serialize(boost::json::string_view{entry.path}), entry.size,
                   entry.blob_id);
    if (!entry.lfs_sha256.empty()) {
        fmt::format_to(std::back_inserter(out),
                       ",\n   \"lfs_sha256\": \"{}\",\n   \"lfs_size\": {}", entry.lfs_sha256,
                       entry.size);
    }
    if (!entry.xet_hash.empty()) {
        fmt::format_to(std::back_inserter(out), ",\n   \"xet_hash\": \"{}\"", entry.xet_hash);
    }
    out += "\n  }";
}

namespace dom = simdjson::dom; // checks the whole text, also behind what we look at

/// Throws simdjson_error, as everything here that looks into JSON.
std::string text(dom::object object, std::string_view key) {
    return std::string{std::string_view{object[key].get_string()}};
}

/// A text that may be missing or null.
std::string optional_text(dom::object object, std::string_view key) {
    const auto value = object[key];
    if (value.error() == simdjson::NO_SUCH_FIELD || value.is_null()) {
        return {};
    }
    return text(object, key);
}

bool is_xet_hash(std::string_view text) {
    return text.size() == 64 && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

/// None if the fields contradict each other.
std::optional<hub::TreeEntry> read_entry(std::string_view path, dom::object object) {
    hub::TreeEntry entry;
    entry.path = path;
    entry.size = object["size"].get_uint64();
    entry.blob_id = text(object, "blob_id");
    entry.lfs_sha256 = optional_text(object, "lfs_sha256");
    entry.xet_hash = optional_text(object, "xet_hash");
    if (!entry.lfs_sha256.empty() && object["lfs_size"].get_uint64() != entry.size) {
        return {};
    }
    if (!entry.xet_hash.empty() && !is_xet_hash(entry.xet_hash)) {
        return {};
    }
    return entry;
}

Error broken(std::string_view reason) {
    return Error{ErrorKind::protocol, fmt::format("the kept file list is broken: {}", reason)};
}

} // namespace

std::string write_tree(const hub::Tree& tree) {
    std::string out = fmt::format("{{\n \"format_version\": {},\n \"files\": {{", format_version);
    bool first = true;
    for (const auto& entry : tree.files) {
        out += first ? "\n" : ",\n";
        first = false;
        write_entry(out, entry);
    }
    out += first ? "}\n}" : "\n }\n}";
    return out;
}

Result<hub::TreePtr> read_tree(std::string_view json) {
    std::vector<hub::TreeEntry> files;
    try {
        dom::parser parser;
        const simdjson::padded_string padded{json};
        const dom::object root = parser.parse(padded).get_object();
        if (root["format_version"].get_int64() != format_version) {
            return broken("unknown version");
        }
        const dom::object listed = root["files"].get_object();
        for (const auto& [path, fields] : listed) {
            auto entry = read_entry(path, fields.get_object());
            if (!entry) {
                return broken("fields contradict each other");
            }
            files.push_back(std::move(*entry));
        }
    } catch (const simdjson::simdjson_error& error) {
        return broken(error.what());
    }
    return hub::make_tree(std::move(files));
}

} // namespace wharf::store
