// JSON from the Hub: a page of a listing, a repo's description, an error. Promises: what is
// accepted is checked; a listing kept on disk is the same when it is read again.

#include "daemon/hub/hub_json.hpp"

#include "daemon/hub/text.hpp"
#include "daemon/store/tree_json.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>

namespace wharf::fuzz {

namespace {

constexpr std::size_t most_files = 8;

bool same_entries(const hub::Tree& a, const hub::Tree& b) {
    return std::ranges::equal(a.files, b.files, [](const auto& x, const auto& y) {
        return x.path == y.path && x.size == y.size && x.blob_id == y.blob_id &&
               x.lfs_sha256 == y.lfs_sha256 && x.xet_hash == y.xet_hash;
    });
}

void check_listing(std::vector<hub::TreeEntry> files) {
    require(files.size() <= most_files, "no more files than the limit");
    for (const hub::TreeEntry& file : files) {
        require(hub::check_path(file.path).has_value(), "a path that was accepted is safe");
    }
    const auto tree = hub::make_tree(std::move(files));
    if (!tree) {
        require(is_printable(tree.error().message()), "an error is one printable line");
        return;
    }
    const auto kept = store::read_tree(store::write_tree(**tree));
    require(kept && same_entries(**kept, **tree), "a kept listing is the same");
}

} // namespace

void run(std::string_view input) {
    // simdjson reserves for any document of that length beforehand.
    const MemoryLimit limit{(64 << 10) + 64 * input.size()};
    std::vector<hub::TreeEntry> files;
    if (const auto page = hub::append_tree_page(input, files, most_files)) {
        check_listing(std::move(files));
    } else {
        require(page.error().kind() == ErrorKind::protocol, "a bad page is the Hub's fault");
        require(is_printable(page.error().message()), "an error is one printable line");
    }
    if (const auto commit = hub::commit_from_json(input)) {
        require(commit->size() == 40 &&
                    commit->find_first_not_of("0123456789abcdef") == std::string::npos,
                "a commit is 40 hex digits");
    }
    require(is_printable(hub::spoken_text(hub::error_text(input))),
            "what the Hub said is printable");
}

} // namespace wharf::fuzz
