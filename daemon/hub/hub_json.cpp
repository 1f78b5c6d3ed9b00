#include "daemon/hub/hub_json.hpp"

#include "base/digest.hpp"
#include "daemon/hub/dom_json.hpp"
#include "daemon/hub/text.hpp"

#include <fmt/format.h>

#include <optional>
#include <set>

namespace wharf::hub {

namespace {

/// The values of a listing's entry that matter.
struct RawEntry {
    Value type;
    Value path;
    Value oid;
    Value size;
    Value lfs;
    Value xet_hash;
};

/// `lfs`: the sha256 is its "oid" (elsewhere in the API the key is "sha256"). Its size repeats the
/// entry's; where they differ one of them is wrong, so neither is used.
Result<void> read_lfs(dom::element lfs, std::string_view where, TreeEntry& entry) {
    Value oid;
    Value size;
    const Wanted wanted[] = {{"oid", &oid}, {"size", &size}};
    if (auto taken = take(lfs, where, wanted); !taken) {
        return taken;
    }
    const auto sha256 = text_of(oid, where, "lfs.oid");
    if (!sha256) {
        return sha256.error();
    }
    if (!is_sha256(*sha256)) {
        return malformed(where, "its \"lfs.oid\" is not 64 hex digits");
    }
    const auto length = number_of(size, where, "lfs.size");
    if (!length) {
        return length.error();
    }
    if (*length != entry.size) {
        return malformed(where, "its \"size\" and \"lfs.size\" differ");
    }
    entry.lfs_sha256 = *sha256;
    return {};
}

/// Asterisks stand for hashes that this asker is not to know; they and everything else that is no
/// hash are as good as none.
Result<void> read_xet_hash(const Value& value, std::string_view where, TreeEntry& entry) {
    if (!value) {
        return {};
    }
    const auto hash = text_of(value, where, "xetHash");
    if (!hash) {
        return hash.error();
    }
    if (is_sha256(*hash)) { // the same form
        entry.xet_hash = *hash;
    }
    return {};
}

Result<TreeEntry> read_file(const RawEntry& raw, std::string_view path, std::string_view where) {
    TreeEntry entry;
    entry.path = path;
    const auto oid = text_of(raw.oid, where, "oid");
    if (!oid) {
        return oid.error();
    }
    if (!is_commit_id(*oid)) { // the same form: git's sha1
        return malformed(where, "its \"oid\" is not 40 hex digits");
    }
    entry.blob_id = *oid;
    const auto size = number_of(raw.size, where, "size");
    if (!size) {
        return size.error();
    }
    entry.size = *size;
    if (raw.lfs) {
        if (auto read = read_lfs(*raw.lfs, where, entry); !read) {
            return read.error();
        }
    }
    if (auto read = read_xet_hash(raw.xet_hash, where, entry); !read) {
        return read.error();
    }
    return entry;
}

/// An entry of a listing: of a folder only the path.
struct Entry {
    TreeEntry file;
    bool is_folder = false;
};

/// `number` names the entry as long as its path is not known.
Result<Entry> read_entry(dom::element element, std::size_t number) {
    const std::string nameless = fmt::format("entry {}", number);
    RawEntry raw;
    const Wanted wanted[] = {{"type", &raw.type}, {"path", &raw.path}, {"oid", &raw.oid},
                             {"size", &raw.size}, {"lfs", &raw.lfs},   {"xetHash", &raw.xet_hash}};
    if (auto taken = take(element, nameless, wanted); !taken) {
        return taken.error();
    }
    const auto path = text_of(raw.path, nameless, "path");
    if (!path) {
        return path.error();
    }
    const std::string where = fmt::format("entry {}", quoted(*path));
    const auto type = text_of(raw.type, where, "type");
    if (!type) {
        return type.error();
    }
    if (auto checked = check_path(*path); !checked) {
        return checked.error();
    }
    Entry entry;
    entry.is_folder = *type != "file";
    if (entry.is_folder) {
        entry.file.path = *path;
        return entry;
    }
    auto file = read_file(raw, *path, where);
    if (!file) {
        return file.error();
    }
    entry.file = *std::move(file);
    return entry;
}

/// Adds a text to a list of sentences.
void append_text(std::string& out, simdjson::simdjson_result<dom::element> value) {
    std::string_view text;
    if (value.get(text) == simdjson::SUCCESS && !text.empty()) {
        out += out.empty() ? "" : "; ";
        out += text;
    }
}

/// Adds each of a list's texts, or the texts of its objects' "message".
void append_texts(std::string& out, simdjson::simdjson_result<dom::element> value) {
    dom::array list;
    if (value.get(list) != simdjson::SUCCESS) {
        append_text(out, value);
        return;
    }
    for (const dom::element item : list) {
        simdjson::simdjson_result<dom::element> said{dom::element{item}};
        append_text(out, item.is_object() ? item["message"] : said);
    }
}

/// Only a plain `false` is one: null, a number or a text may mean anything.
bool is_false(const Value& value) noexcept {
    bool is = true;
    return value && value->get(is) == simdjson::SUCCESS && !is;
}

/// A text of the Hub's for people, made harmless; empty if it is none.
std::string shown(const Value& value) {
    std::string_view text;
    return value && value->get(text) == simdjson::SUCCESS ? spoken_text(text) : std::string{};
}

/// The names of a list's objects.
std::vector<std::string> names_of(const Value& list) {
    std::vector<std::string> names;
    dom::array items;
    if (!list || list->get(items) != simdjson::SUCCESS) {
        return names;
    }
    for (const dom::element item : items) {
        std::string_view name;
        if (item["name"].get(name) == simdjson::SUCCESS) {
            names.push_back(spoken_text(name));
        }
    }
    return names;
}

} // namespace

Result<std::string> commit_from_json(std::string_view body) {
    dom::parser parser;
    const auto root = parse_json(parser, body);
    if (!root) {
        return root.error();
    }
    Value sha;
    const Wanted wanted[] = {{"sha", &sha}};
    if (auto taken = take(*root, "the repo's description", wanted); !taken) {
        return taken.error();
    }
    const auto text = text_of(sha, "the repo's description", "sha");
    if (!text) {
        return text.error();
    }
    if (!is_commit_id(*text)) {
        return malformed("the repo's description", "its \"sha\" is not 40 hex digits");
    }
    return std::string{*text};
}

Result<RepoAccess> access_from_json(std::string_view body) {
    dom::parser parser;
    const auto root = parse_json(parser, body);
    if (!root) {
        return root.error();
    }
    Value is_private;
    Value gated;
    Value disabled;
    const Wanted wanted[] = {{"private", &is_private}, {"gated", &gated}, {"disabled", &disabled}};
    if (auto taken = take(*root, "the repo's description", wanted); !taken) {
        return taken.error();
    }
    return RepoAccess{.is_private = !is_false(is_private),
                      .gated = !is_false(gated),
                      .disabled = disabled && !is_false(disabled)};
}

Result<TokenOwner> owner_from_json(std::string_view body) {
    dom::parser parser;
    const auto root = parse_json(parser, body);
    if (!root) {
        return root.error();
    }
    constexpr std::string_view where = "the token's account";
    Value name;
    Value fullname;
    Value type;
    Value orgs;
    Value auth;
    const Wanted wanted[] = {{"name", &name},
                             {"fullname", &fullname},
                             {"type", &type},
                             {"orgs", &orgs},
                             {"auth", &auth}};
    if (auto taken = take(*root, where, wanted); !taken) {
        return taken.error();
    }
    TokenOwner owner{.name = shown(name),
                     .fullname = shown(fullname),
                     .type = shown(type),
                     .orgs = names_of(orgs),
                     .token_name = {},
                     .token_role = {}};
    if (owner.name.empty()) {
        return malformed(where, "its \"name\" is missing or not a text");
    }
    if (auth) { // asking what is no object for a key gives nothing
        const auto token = (*auth)["accessToken"];
        append_text(owner.token_name, token["displayName"]);
        append_text(owner.token_role, token["role"]);
        owner.token_name = spoken_text(owner.token_name);
        owner.token_role = spoken_text(owner.token_role);
    }
    return owner;
}

Result<void> append_tree_page(std::string_view body, std::vector<TreeEntry>& files,
                              std::size_t limit) {
    dom::parser parser;
    const auto root = parse_json(parser, body);
    if (!root) {
        return root.error();
    }
    dom::array entries;
    if (root->get(entries) != simdjson::SUCCESS) {
        return malformed("the listing is not a list");
    }
    std::size_t number = 0;
    for (const dom::element element : entries) {
        auto entry = read_entry(element, ++number);
        if (!entry) {
            return entry.error();
        }
        if (entry->is_folder) {
            continue;
        }
        if (files.size() >= limit) {
            return malformed(fmt::format("the listing has more than {} files", limit));
        }
        files.push_back(std::move(entry->file));
    }
    return {};
}

Result<std::vector<PathInfo>> paths_from_json(std::string_view body,
                                              std::span<const std::string> asked) {
    dom::parser parser;
    const auto root = parse_json(parser, body);
    if (!root) {
        return root.error();
    }
    dom::array entries;
    if (root->get(entries) != simdjson::SUCCESS) {
        return malformed("the description of paths is not a list");
    }
    std::set<std::string_view> open{asked.begin(), asked.end()};
    std::vector<PathInfo> paths;
    for (const dom::element element : entries) {
        auto entry = read_entry(element, paths.size() + 1);
        if (!entry) {
            return entry.error();
        }
        TreeEntry& file = entry->file;
        if (open.erase(file.path) == 0) {
            return malformed(
                fmt::format("{} was not asked for, or comes twice", hub::quoted(file.path)));
        }
        paths.push_back({std::move(file.path), entry->is_folder, file.size, std::move(file.blob_id),
                         std::move(file.lfs_sha256), std::move(file.xet_hash)});
    }
    return paths;
}

std::string error_text(std::string_view body) {
    dom::parser parser;
    const auto root = parse_json(parser, body);
    if (!root) {
        return std::string{body};
    }
    std::string out; // asking what is no object for a key gives nothing
    append_texts(out, (*root)["error"]);
    append_text(out, (*root)["error_description"]);
    append_texts(out, (*root)["errors"]);
    append_text(out, (*root)["message"]);
    return out;
}

} // namespace wharf::hub
