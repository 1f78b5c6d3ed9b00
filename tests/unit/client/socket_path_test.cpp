#include "base/unique_fd.hpp"
#include "client/lib/socket_path.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>

using wharf::client::socket_path;

TEST_CASE("the daemon is chosen by argument, variable, one's own socket, the system's") {
    std::string folder = "/tmp/wharf-path-XXXXXX";
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    std::filesystem::create_directory(folder + "/wharf");
    const std::string own = folder + "/wharf/wharfd.sock";
    const std::string system = "/run/wharf/wharfd.sock";
    std::map<std::string, std::string, std::less<>> variables;
    const auto environment = [&](std::string_view name) {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional{found->second};
    };

    CHECK(socket_path(std::nullopt, environment) == system);
    variables["XDG_RUNTIME_DIR"] = folder;
    CHECK(socket_path(std::nullopt, environment) == system); // nothing is there
    std::ofstream{own} << "";
    CHECK(socket_path(std::nullopt, environment) == system); // and that is no socket
    std::filesystem::remove(own);
    const wharf::UniqueFd fd{wharf::adopt_fd, ::socket(AF_UNIX, SOCK_STREAM, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    own.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(fd.value(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    CHECK(socket_path(std::nullopt, environment) == own);
    variables["WHARF_SOCKET"] = "";
    CHECK(socket_path(std::nullopt, environment) == own);
    variables["WHARF_SOCKET"] = "/elsewhere";
    CHECK(socket_path(std::nullopt, environment) == "/elsewhere");
    CHECK(socket_path("/chosen", environment) == "/chosen");
    variables = {{"XDG_RUNTIME_DIR", ""}};
    CHECK(socket_path(std::nullopt, environment) == system);
    std::filesystem::remove_all(folder);
}
