#include "daemon/store/layout.hpp"

#include <doctest/doctest.h>

using wharf::hub::RepoId;
using wharf::hub::RepoType;
namespace layout = wharf::store::layout;

TEST_CASE("repo folders are named as the official client names them") {
    CHECK(layout::repo_folder({RepoType::model, "org/name"}) == "models--org--name");
    CHECK(layout::repo_folder({RepoType::dataset, "Org/Data-1.0"}) == "datasets--Org--Data-1.0");
    CHECK(layout::repo_folder({RepoType::space, "a/b"}) == "spaces--a--b");
    CHECK(layout::repo_folder({RepoType::model, "gpt2"}) == "models--gpt2");
}

TEST_CASE("only repo folders are taken for such") {
    CHECK(layout::is_repo_folder("models--gpt2"));
    CHECK(layout::is_repo_folder("datasets--a--b"));
    CHECK(layout::is_repo_folder("spaces--a--b"));
    CHECK_FALSE(layout::is_repo_folder("models--"));
    CHECK_FALSE(layout::is_repo_folder("kernels--a--b"));
    CHECK_FALSE(layout::is_repo_folder(".locks"));
    CHECK_FALSE(layout::is_repo_folder("blobs"));
    CHECK_FALSE(layout::is_repo_folder("models"));
}

TEST_CASE("pointers go up once more for each folder") {
    CHECK(layout::pointer_target("a", "E") == "../../blobs/E");
    CHECK(layout::pointer_target("x/a", "E") == "../../../blobs/E");
    CHECK(layout::pointer_target("x/y/z/a", "E") == "../../../../../blobs/E");
}

TEST_CASE("paths are split at their last slash") {
    CHECK(layout::split("a").folder.empty());
    CHECK(layout::split("a").name == "a");
    CHECK(layout::split("x/y/a").folder == "x/y");
    CHECK(layout::split("x/y/a").name == "a");
}

TEST_CASE("the cache tag begins with the signature") {
    CHECK(
        layout::cachedir_tag_content.starts_with("Signature: 8a477f597d28d172789f06886806bc55\n#"));
    CHECK(layout::cachedir_tag_content.ends_with("#\thttps://bford.info/cachedir/\n"));
}
