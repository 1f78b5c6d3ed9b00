// Names that become paths on our disk and in the Hub's addresses: files of a listing (one per
// line), repos and revisions. Promises: what is accepted stays inside its folder by the file
// system's own rules, and comes out of an address as it went in.

#include "daemon/hub/types.hpp"
#include "daemon/hub/urls.hpp"
#include "daemon/store/layout.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace wharf::fuzz {

namespace {

using std::filesystem::path;

constexpr std::string_view commit = "1234567890abcdef1234567890abcdef12345678";

/// Whether a relative path names something strictly below where it starts, and nothing else does.
bool is_inside(std::string_view text) {
    const path relative{text};
    const path normal = relative.lexically_normal();
    return relative.is_relative() && normal == relative && !normal.empty() &&
           *normal.begin() != ".." && normal != "." && normal.has_filename() &&
           text.find('\0') == text.npos;
}

std::string percent_decode(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        unsigned char byte = static_cast<unsigned char>(text.front());
        text.remove_prefix(1);
        if (byte == '%') {
            const auto [end, ec] = std::from_chars(text.data(), text.data() + 2, byte, 16);
            require(ec == std::errc{} && end == text.data() + 2, "an escape has two digits");
            text.remove_prefix(2);
        }
        out += static_cast<char>(byte);
    }
    return out;
}

void check_address(const hub::RepoId& repo, std::string_view revision, std::string_view file) {
    static const net::Url endpoint = net::Url::parse("https://hub.example/prefix/").value();
    const net::Url url = hub::file_url(endpoint, repo, revision, file);
    const auto read = net::Url::parse(url.to_string());
    require(read && read->target == url.target, "an address of ours can be read");
    const auto resolved = endpoint.resolve(url.target);
    require(resolved && resolved->target == url.target, "nobody shortens an address of ours");
    const std::string folder = repo.type == hub::RepoType::model ? "" : "datasets/";
    std::string_view target = url.target;
    const std::string expected = "/prefix/" + folder + repo.name + "/resolve/";
    require(target.starts_with(expected), "an address begins with the repo");
    target.remove_prefix(expected.size());
    require(percent_decode(take_until(target, '/')) == revision, "the revision comes out again");
    require(percent_decode(target) == file, "the file's path comes out again");
}

/// A pointer must lead from wherever it is to the blob.
void check_pointer(std::string_view file) {
    const auto [folder, name] = store::layout::split(file);
    const path pointer = path{store::layout::snapshots} / commit / folder;
    require(is_inside(name) && name.find('/') == name.npos, "a file's name is one component");
    const path target = pointer / store::layout::pointer_target(file, commit);
    require(target.lexically_normal() == path{store::layout::blobs} / commit,
            "a pointer leads to its blob");
}

void check_file(std::string_view file) {
    if (const auto checked = hub::check_path(file); !checked) {
        require(is_printable(checked.error().message()), "an error is one printable line");
        return;
    }
    require(is_inside(file), "a file stays inside its snapshot");
    std::string slashes{file}; // how other systems would read it
    std::ranges::replace(slashes, '\\', '/');
    require(is_inside(slashes), "a file stays inside where backslashes separate, too");
    check_pointer(file);
    check_address({hub::RepoType::dataset, "org/name"}, "refs/pr/1", file);
}

void check_repo(std::string_view name) {
    for (const auto type : {hub::RepoType::model, hub::RepoType::dataset}) {
        const auto repo = hub::RepoId::parse(type, name);
        if (!repo) {
            require(is_printable(repo.error().message()), "an error is one printable line");
            continue;
        }
        const std::string folder = store::layout::repo_folder(*repo);
        require(is_inside(folder) && folder.find('/') == folder.npos && folder.size() <= 255,
                "a repo's folder is one component");
        require(store::layout::is_repo_folder(folder), "a repo's folder looks like one");
        std::string back = folder.substr(folder.find("--") + 2);
        if (const auto mark = back.find("--"); mark != back.npos) {
            back.replace(mark, 2, "/");
        }
        require(back == name, "no two repos share a folder");
        check_address(*repo, "main", "config.json");
    }
}

void check_revision(std::string_view text) {
    if (const auto revision = hub::parse_revision(text)) {
        require(*revision == text && is_inside(text), "a revision stays inside refs");
        check_address({hub::RepoType::model, "name"}, text, "config.json");
    }
}

void check_listing(std::string_view lines) {
    std::vector<hub::TreeEntry> files;
    while (!lines.empty() && files.size() < 64) {
        files.push_back({std::string{take_until(lines, '\n')}, 1, std::string{commit}, {}, {}});
    }
    const auto tree = hub::make_tree(std::move(files));
    if (!tree) {
        return;
    }
    for (const hub::TreeEntry& file : (*tree)->files) {
        require((*tree)->find(file.path) == &file, "each path is there once");
        for (const hub::TreeEntry& other : (*tree)->files) {
            require(!other.path.starts_with(file.path + '/'), "no file is a folder, too");
        }
    }
}

} // namespace

void run(std::string_view input) {
    check_listing(input);
    check_repo(input);
    check_revision(input);
    while (!input.empty()) {
        check_file(take_until(input, '\n'));
    }
}

} // namespace wharf::fuzz
