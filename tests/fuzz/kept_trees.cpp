// A listing kept on the disk, where others may have written to it. Promises: what is accepted is as
// good as a listing from the Hub, and is the same when it is written and read again.

#include "daemon/store/tree_json.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace wharf::fuzz {

void run(std::string_view input) {
    const MemoryLimit limit{(64 << 10) + 64 * input.size()};
    const auto tree = store::read_tree(input);
    if (!tree) {
        require(tree.error().kind() == ErrorKind::protocol, "a bad listing is named as such");
        require(is_printable(tree.error().message()), "an error is one printable line");
        return;
    }
    for (const hub::TreeEntry& file : (*tree)->files) {
        require(hub::check_path(file.path).has_value(), "a path that was accepted is safe");
        require((*tree)->find(file.path) == &file, "a file of a listing is found");
    }
    const std::string written = store::write_tree(**tree);
    const auto again = store::read_tree(written);
    require(again && store::write_tree(**again) == written, "a kept listing is the same");
}

} // namespace wharf::fuzz
