#include "daemon/hub/urls.hpp"

#include <doctest/doctest.h>

using namespace wharf::hub;
using wharf::net::Url;

namespace {

const RepoId model{RepoType::model, "org/name"};
const RepoId dataset{RepoType::dataset, "org/name"};
const RepoId space{RepoType::space, "org/name"};

} // namespace

TEST_CASE("the API is asked by type") {
    const Url hub = Url::parse("https://hub.example").value();
    CHECK(revision_url(hub, model, "main").to_string() ==
          "https://hub.example/api/models/org/name/revision/main");
    CHECK(revision_url(hub, dataset, "main").target == "/api/datasets/org/name/revision/main");
    CHECK(revision_url(hub, space, "main").target == "/api/spaces/org/name/revision/main");
    CHECK(revision_url(hub, RepoId{RepoType::model, "gpt2"}, "main").target ==
          "/api/models/gpt2/revision/main");
    CHECK(tree_url(hub, model, std::string(40, 'c')).target ==
          "/api/models/org/name/tree/" + std::string(40, 'c') + "?recursive=true&expand=false");
}

TEST_CASE("revisions are escaped whole, paths keep their slashes") {
    const Url hub = Url::parse("https://hub.example").value();
    CHECK(revision_url(hub, model, "refs/pr/1").target ==
          "/api/models/org/name/revision/refs%2Fpr%2F1");
    CHECK(revision_url(hub, model, "a?b#c%d e").target ==
          "/api/models/org/name/revision/a%3Fb%23c%25d%20e");
    CHECK(file_url(hub, model, "refs/pr/1", "a/b?:,% \xc3\xa9").target ==
          "/org/name/resolve/refs%2Fpr%2F1/a/b%3F%3A%2C%25%20%C3%A9");
}

TEST_CASE("files of models have no type in their address") {
    const Url hub = Url::parse("https://hub.example:8443").value();
    CHECK(file_url(hub, model, "main", "x").to_string() ==
          "https://hub.example:8443/org/name/resolve/main/x");
    CHECK(file_url(hub, dataset, "main", "x").target == "/datasets/org/name/resolve/main/x");
    CHECK(file_url(hub, space, "main", "x").target == "/spaces/org/name/resolve/main/x");
}

TEST_CASE("an endpoint may have a path") {
    for (const char* text : {"http://host:8080/hf", "http://host:8080/hf/"}) {
        const Url hub = Url::parse(text).value();
        CHECK(file_url(hub, model, "main", "x").to_string() ==
              "http://host:8080/hf/org/name/resolve/main/x");
        CHECK(revision_url(hub, model, "main").target == "/hf/api/models/org/name/revision/main");
        CHECK(api_path(hub, RepoType::space) == "/hf/api/spaces/");
    }
}
