#include "daemon/config.hpp"
#include "daemon/config_read.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <fstream>

using wharf::Config;
using wharf::ErrorKind;
using namespace std::chrono_literals;

namespace {

Config read(std::string_view text, const wharf::config::Home& home = {}) {
    return wharf::config::read_text(text, "x.toml", Config{}, home).value();
}

std::string refusal(std::string_view text) {
    const auto outcome = wharf::config::read_text(text, "x.toml", Config{}, {});
    REQUIRE(outcome.has_error());
    CHECK(outcome.error().kind() == ErrorKind::invalid_request);
    CHECK_FALSE(outcome.error().hint().empty());
    return outcome.error().message();
}

} // namespace

TEST_CASE("an empty file means the defaults") {
    CHECK(read("") == Config{});
    CHECK(read("[daemon]\n[cache]\n[hub]\n[transfer]\n[jobs]\n[limits]\n") == Config{});
    CHECK(read("[cache]\nmin_free = \"auto\"") == Config{});
}

TEST_CASE("every key reaches its place") {
    const Config config = read(R"(
[daemon]
socket = "/a/s.sock"
state_dir = "/a/./state/../b"
shutdown_grace = "2m"
io_threads = 7
max_clients = 9
max_clients_per_user = 8
log_level = "debug"
[cache]
dir = "/a/cache"
lock_files = true
listable = true
min_free = "1GiB"
[hub]
endpoint = "http://127.0.0.1:8080/prefix//"
ca_file = "/a/ca.pem"
proxy = "http://me:secret@proxy:3128"
no_proxy = "localhost,.internal"
connect_timeout = "250ms"
first_byte_timeout = "2s"
revision_ttl = "1h"
[transfer]
max_connections = 8
max_connections_per_host = 5
max_connections_per_file = 2
piece_size = "1MiB"
stall_timeout = "7s"
min_speed = "2KiB"
buffer_budget = "8MiB"
[jobs]
max_running = 3
history_age = "2d"
history_count = 0
[access]
allow_users = ["alice", "*", 1005]
allow_groups = []
download_users = ["bob"]
download_groups = ["ml team", "+x\\y"]
upload_users = ["1007"]
upload_groups = ["pushers"]
admin_users = ["0"]
admin_groups = ["adm"]
grant_ttl = "5m"
offline_grace = "0s"
renew_for = "1h"
[limits]
download_rate = "5MiB"
upload_rate = "3MiB"
)");
    Config expected;
    expected.daemon = {"/a/s.sock", "/a/b", 120s, 7, 9, 8, wharf::log::Level::debug};
    expected.cache = {"/a/cache", true, true, 1U << 30};
    expected.hub = {"http://127.0.0.1:8080/prefix",
                    "/a/ca.pem",
                    "http://me:secret@proxy:3128",
                    "localhost,.internal",
                    250ms,
                    2s,
                    1h};
    expected.transfer = {8, 5, 2, 1U << 20, 7s, 2048, 8U << 20};
    expected.jobs = {3, 48h, 0};
    expected.access = {{.allow = {.users = {"alice", "*", "1005"}, .groups = {}},
                        .download = {.users = {"bob"}, .groups = {"ml team", "+x\\y"}},
                        .upload = {.users = {"1007"}, .groups = {"pushers"}},
                        .admin = {.users = {"0"}, .groups = {"adm"}}},
                       5min,
                       0ms,
                       1h};
    expected.limits.always.download.all = 5U << 20;
    expected.limits.always.upload.all = 3U << 20;
    CHECK(config == expected);
}

TEST_CASE("what cannot be used is named with file, line and the nearest known key") {
    struct Row {
        const char* text;
        const char* message;
    };
    const Row rows[]{
        {"[daemon]\n\nsockett = \"/a\"",
         "x.toml:3: unknown key \"sockett\" in [daemon]; did you mean \"socket\"?"},
        {"[transfer]\nPiece-Size = \"1MiB\"",
         "x.toml:2: unknown key \"Piece-Size\" in [transfer]; did you mean \"piece_size\"?"},
        {"[hub]\nlog_level = \"info\"",
         "x.toml:2: unknown key \"log_level\" in [hub]; did you mean \"log_level\" in [daemon]?"},
        {"[transfers]\npiece_size = \"1MiB\"",
         "x.toml:1: unknown table [transfers]; did you mean [transfer]?"},
        {"[[hubs]]\n", "x.toml:1: unknown table [hubs]; did you mean [hub]?"},
        {"# first\nsocket = \"/a\"", "x.toml:2: unknown key \"socket\" outside of any table; did "
                                     "you mean \"socket\" in [daemon]?"},
        {"hub = \"x\"", "x.toml:1: \"hub\" must be a table: write [hub] above its keys"},
        {"[[hub]]\n", "x.toml:1: \"hub\" must be a table: write [hub] above its keys"},
        {"[daemon.socket]\n", "x.toml:1: [daemon] socket: must be a path in quotes"},
        {"[daemon]\nio_threads = 2.5",
         "x.toml:2: [daemon] io_threads: must be a whole number without quotes"},
    };
    for (const auto& [text, message] : rows) {
        CAPTURE(text);
        CHECK(refusal(text) == message);
    }
}

TEST_CASE("the first fault of the file is reported, whatever the tables are called") {
    CHECK(refusal("[hub]\nfoo = 1\n[cache]\nbar = 2").starts_with("x.toml:2: "));
    CHECK(refusal("[transfer]\nfoo = 1\n[daemon]\nio_threads = 0").starts_with("x.toml:2: "));
}

TEST_CASE("values of the wrong kind or out of range") {
    struct Row {
        const char* table;
        const char* line;
        const char* message;
    };
    const Row rows[]{
        {"daemon", "socket = 5", "socket: must be a path in quotes"},
        {"access", "allow_users = \"alice\"",
         "allow_users: must be a list of names such as [\"alice\", \"bob\"]"},
        {"access", "allow_users = [1.5]",
         "allow_users: must be a list of names such as [\"alice\", \"bob\"]"},
        {"access", "allow_users = [[\"a\"]]",
         "allow_users: must be a list of names such as [\"alice\", \"bob\"]"},
        {"access", "admin_groups = [\"a\", \"\"]", "admin_groups: \"\" is no name of an account"},
        {"access", "admin_groups = [-1]", "admin_groups: \"-1\" is no name of an account"},
        {"access", "admin_groups = [\" a\"]", "admin_groups: \" a\" is no name of an account"},
        {"access", "admin_groups = [\"a:b\"]", "admin_groups: \"a:b\" is no name of an account"},
        {"access", "grant_ttl = \"0s\"", "grant_ttl: must be between 100ms and 1d"},
        {"daemon", "socket = \"run/s\"", "socket: must be an absolute path, not \"run/s\""},
        {"daemon", "socket = \"\"", "socket: must be an absolute path, not \"\""},
        {"daemon", "state_dir = \"~/wharf\"",
         "state_dir: must be an absolute path, not \"~/wharf\""},
        {"daemon", "shutdown_grace = 10", "must be a duration in quotes, such as \"10s\""},
        {"daemon", "shutdown_grace = \"10\"", "'10' is not a duration"},
        {"daemon", "shutdown_grace = \"11m\"", "must be between 0s and 10m"},
        {"daemon", "io_threads = 0", "must be between 1 and 64"},
        {"daemon", "io_threads = -1", "must be between 1 and 64"},
        {"daemon", "io_threads = 4294967297", "must be between 1 and 64"},
        {"daemon", "io_threads = \"4\"", "must be a whole number without quotes"},
        {"daemon", "io_threads = true", "must be a whole number without quotes"},
        {"daemon", "log_level = \"loud\"", "must be \"debug\", \"info\", \"warning\" or \"error\""},
        {"daemon", "log_level = 1", "must be \"debug\", \"info\", \"warning\" or \"error\""},
        {"cache", "lock_files = \"true\"", "must be true or false, without quotes"},
        {"cache", "lock_files = 1", "must be true or false, without quotes"},
        {"hub", "endpoint = 1", "must be a text in quotes"},
        {"hub", "endpoint = \"huggingface.co\"", "hub] endpoint: "},
        {"hub", "endpoint = \"ftp://huggingface.co\"", "hub] endpoint: "},
        {"hub", "endpoint = \"https://h/?a=b\"", "must have neither query nor fragment"},
        {"hub", "endpoint = \"https://h/#top\"", "must have neither query nor fragment"},
        {"hub", "connect_timeout = \"0s\"", "must be between 10ms and 10m"},
        {"hub", "proxy = \"socks5://h:1\"", "must look like \"http://host:port\""},
        {"hub", "proxy = \"http://h:1/path\"", "must look like \"http://host:port\""},
        {"transfer", "piece_size = 1048576", "must be a size in quotes, such as \"64MiB\""},
        {"transfer", "piece_size = \"1mb\"", "'1mb' is not a size"},
        {"transfer", "piece_size = \"1KiB\"", "must be between 64KiB and 1GiB"},
        {"transfer", "min_speed = \"2GiB\"", "must be between 0 and 1GiB"},
        {"transfer", "buffer_budget = \"1MiB\"", "must be between 4MiB and 1TiB"},
        {"cache", "min_free = \"some\"", "'some' is not a size"},
        {"cache", "min_free = 5", "must be a size in quotes, such as \"64MiB\""},
        {"jobs", "history_age = \"3651d\"", "must be between 0s and 3650d"},
        {"jobs", "max_running = 0", "must be between 1 and 10000"},
        {"transfer", "stall_timeout = \"2h\"", "must be between 10ms and 1h"},
        {"transfer", "max_connections = [1]", "must be a whole number without quotes"},
    };
    for (const auto& [table, line, message] : rows) {
        CAPTURE(line);
        const auto text = refusal("[" + std::string{table} + "]\n" + line);
        CAPTURE(text);
        CHECK(text.starts_with("x.toml:2: [" + std::string{table} + "] "));
        CHECK(text.find(message) != std::string::npos);
    }
}

TEST_CASE("a socket path that the kernel would cut is refused") {
    const auto line = [](std::size_t bytes) {
        return "[daemon]\nsocket = \"/" + std::string(bytes - 1, 's') + "\"";
    };
    CHECK(read(line(107)).daemon.socket.native().size() == 107);
    CHECK(refusal(line(108)) == "x.toml:2: [daemon] socket: must have at most 107 bytes");
}

TEST_CASE("a proxy's password is in no message") {
    for (const char* proxy :
         {"https://me:hunter2@h:1", "http://me:hunter2@h:1/x", "http://me:hunter2@", "me:hunter2@h",
          "http://me:hunter2@h:port", "http://hunter2@h h"}) {
        CAPTURE(proxy);
        const auto text = refusal("[hub]\nproxy = \"" + std::string{proxy} + "\"");
        CHECK(text.find("hunter2") == std::string::npos);
    }
    CHECK(read("[hub]\nproxy = \"\"").hub.proxy.empty());
    CHECK(read("[hub]\nproxy = \"http://u:p@ss@h:1\"").hub.proxy == "http://u:p@ss@h:1");
}

TEST_CASE("what is not TOML is refused with its line") {
    CHECK(refusal("[daemon]\nsocket = /a").starts_with("x.toml:2: "));
    CHECK(refusal("[daemon]\n[daemon]\n").starts_with("x.toml:2: "));
    CHECK(refusal("[daemon]\nio_threads = 1\nio_threads = 2").starts_with("x.toml:3: "));
    CHECK(refusal("a = \"\xff\"").starts_with("x.toml:1: "));
}

TEST_CASE("the home directory is only expanded where there is one") {
    const auto config = read("[cache]\ndir = \"~/hub\"\n[daemon]\nstate_dir = \"~\"", "/home/ann");
    CHECK(config.cache.dir == "/home/ann/hub");
    CHECK(config.daemon.state_dir.lexically_normal() == "/home/ann/");
    CHECK(refusal("[cache]\ndir = \"~ann/hub\"").find("absolute") != std::string::npos);
}

TEST_CASE("a file is read, and one that cannot be is named") {
    const wharf::test::TempDir folder;
    const auto file = folder.path() / "wharfd.toml";
    std::ofstream{file} << "[daemon]\nio_threads = 3\n";
    CHECK(Config::load(file).daemon.io_threads == 3);
    std::ofstream{file} << "";
    CHECK(Config::load(file) == Config{});

    for (const auto& [path, reason] :
         {std::pair{folder.path() / "missing.toml", "No such file or directory"},
          std::pair{folder.path(), "Is a directory"}}) {
        try {
            Config::load(path);
            FAIL("was read");
        } catch (const wharf::Error& error) {
            CHECK(error.kind() == ErrorKind::invalid_request);
            CHECK(error.message() == path.native() + ": " + reason);
        }
    }
    std::ofstream{file} << "[daemon]\nnonsense = 3\n";
    try {
        Config::load(file);
        FAIL("was read");
    } catch (const wharf::Error& error) {
        CHECK(error.message().starts_with(file.native() + ":2: unknown key \"nonsense\""));
    }
}

TEST_CASE("which changes a running daemon cannot take over") {
    const Config running;
    CHECK(wharf::changes_needing_restart(running, running).empty());

    Config live = running;
    live.daemon.log_level = wharf::log::Level::debug;
    live.hub.revision_ttl = 1s;
    live.transfer.max_connections = live.transfer.max_connections_per_host =
        live.transfer.max_connections_per_file = 1;
    live.transfer.piece_size = 1U << 20;
    live.limits.always.download.all = 1U << 20;
    live.access.rules = {};
    live.access.rules.allow.users = {"*"};
    live.access.grant_ttl = 1s;
    CHECK(wharf::changes_needing_restart(running, live).empty());

    Config other = live;
    other.daemon.socket = "/x";
    other.daemon.state_dir = "/x";
    other.daemon.shutdown_grace = 1s;
    other.daemon.io_threads = running.daemon.io_threads + 1;
    other.daemon.max_clients = 1;
    other.cache = {"/x", true, true, 1};
    other.hub.endpoint = "https://other";
    other.hub.ca_file = "/x";
    other.hub.proxy = "http://h:1";
    other.hub.no_proxy = "*";
    other.hub.connect_timeout = 1s;
    other.hub.first_byte_timeout = 1s;
    other.transfer.stall_timeout = 1s;
    other.transfer.min_speed = 1;
    other.transfer.buffer_budget = 1;
    other.jobs = {1, 1h, 1};
    CHECK(wharf::changes_needing_restart(running, other) ==
          std::vector<std::string>{
              "daemon.socket", "daemon.state_dir", "daemon.shutdown_grace", "daemon.io_threads",
              "daemon.max_clients", "cache.dir", "cache.lock_files", "cache.listable",
              "cache.min_free", "hub.endpoint", "hub.ca_file", "hub.proxy", "hub.no_proxy",
              "hub.connect_timeout", "hub.first_byte_timeout", "transfer.stall_timeout",
              "transfer.min_speed", "transfer.buffer_budget"});
}
