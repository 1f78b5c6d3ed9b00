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
#include <unistd.h>

using wharf::client::socket_path;

namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

/// A folder for one test, and sockets in it.
class Folder {
  public:
    Folder() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    const std::string& path() const { return path_; }

    wharf::UniqueFd listen(const std::string& socket) const {
        wharf::UniqueFd fd{wharf::adopt_fd, ::socket(AF_UNIX, SOCK_STREAM, 0)};
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        socket.copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(::bind(fd.value(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        return fd;
    }

    std::string chosen_with(const Variables& variables,
                            const std::optional<std::string>& chosen = std::nullopt) const {
        const auto environment = [&](std::string_view name) {
            const auto found = variables.find(name);
            return found == variables.end() ? std::nullopt : std::optional{found->second};
        };
        return socket_path(chosen, environment, path_);
    }

  private:
    std::string path_ = "/tmp/wharf-path-XXXXXX";
};

const std::string system_socket = "/run/wharf/wharfd.sock";

} // namespace

TEST_CASE("the daemon is chosen by argument, variable, one's own socket, the system's") {
    const Folder folder;
    std::filesystem::create_directory(folder.path() + "/wharf");
    const std::string own = folder.path() + "/wharf/wharfd.sock";
    const Variables runtime{{"XDG_RUNTIME_DIR", folder.path()}};

    CHECK(folder.chosen_with({}) == system_socket);
    CHECK(folder.chosen_with(runtime) == system_socket); // nothing is there
    std::ofstream{own} << "";
    CHECK(folder.chosen_with(runtime) == system_socket); // and that is no socket
    std::filesystem::remove(own);
    const wharf::UniqueFd fd = folder.listen(own);
    Variables variables = runtime;
    CHECK(folder.chosen_with(variables) == own);
    variables["WHARF_SOCKET"] = "";
    CHECK(folder.chosen_with(variables) == own);
    variables["WHARF_SOCKET"] = "/elsewhere";
    CHECK(folder.chosen_with(variables) == "/elsewhere");
    CHECK(folder.chosen_with(variables, "/chosen") == "/chosen");
    CHECK(folder.chosen_with({{"XDG_RUNTIME_DIR", ""}}) == system_socket);
}

TEST_CASE("without a runtime folder the own daemon is in a folder that only the user can use") {
    namespace fs = std::filesystem;
    const Folder folder;
    const fs::path own = folder.path() + "/wharf-" + std::to_string(::getuid());
    fs::create_directory(own);
    const std::string socket = own / "wharfd.sock";
    const wharf::UniqueFd fd = folder.listen(socket);

    fs::permissions(own, fs::perms::owner_all);
    CHECK(folder.chosen_with({}) == socket);
    CHECK(folder.chosen_with({{"XDG_RUNTIME_DIR", "/nowhere"}}) == socket);
    CHECK(folder.chosen_with({{"WHARF_SOCKET", "/elsewhere"}}) == "/elsewhere");
    for (const fs::perms others :
         {fs::perms::group_write, fs::perms::others_write, fs::perms::others_exec}) {
        fs::permissions(own, fs::perms::owner_all | others);
        CHECK(folder.chosen_with({}) == system_socket);
    }
    fs::permissions(own, fs::perms::owner_all);
    fs::rename(own, folder.path() + "/real");
    fs::create_directory_symlink("real", own);
    CHECK(folder.chosen_with({}) == system_socket); // whoever made the link could turn it
    fs::remove(own);
    fs::rename(folder.path() + "/real", own);
    if (::geteuid() == 0) {
        REQUIRE(::chown(own.c_str(), 1, 1) == 0);
        CHECK(folder.chosen_with({}) == system_socket);
    }
}
