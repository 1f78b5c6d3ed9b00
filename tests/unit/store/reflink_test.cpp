#include "base/error.hpp"
#include "tests/unit/store/fixture.hpp"

#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

// Staging by clones, on file systems that can: an image of each on a loop device. Needs root and
// the programs that make them; says which one was not tried.

namespace fs = std::filesystem;
using namespace wharf::test;
using wharf::Awaitable;
using wharf::UniqueFd;
using wharf::store::StagedFile;
using wharf::store::StagingOrder;

namespace {

class Image {
  public:
    Image(const fs::path& folder, const std::string& make) : where_{folder / "disk"} {
        const auto image = folder / "image";
        write(image, "");
        fs::resize_file(image, 400 << 20);
        fs::create_directories(where_);
        mounted_ = ::geteuid() == 0 && run(make + " " + image.native()) &&
                   run("mount -o loop " + image.native() + " " + where_.native());
        if (!mounted_) {
            MESSAGE("not run: no image by '" << make << "' can be made and mounted here");
        }
    }
    Image(const Image&) = delete;
    Image& operator=(const Image&) = delete;
    ~Image() {
        if (mounted_) {
            ::umount2(where_.c_str(), MNT_DETACH);
        }
    }
    explicit operator bool() const noexcept { return mounted_; }
    const fs::path& path() const noexcept { return where_; }

  private:
    static bool run(const std::string& command) {
        return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
    }

    fs::path where_;
    bool mounted_ = false;
};

StagingOrder order(const fs::path& path, std::optional<std::uint64_t> size = {}) {
    StagingOrder made;
    made.upload = 7;
    made.path = "file.bin";
    made.source = wharf::async::ForeignFd{
        UniqueFd{wharf::adopt_fd, ::open(path.c_str(), O_RDONLY | O_CLOEXEC)}};
    made.size = size;
    return made;
}

void check_clones(const fs::path& disk) {
    StoreFixture f{disk};
    auto& staged = f.store().staged();
    const std::string content = std::string(20'000'000, 'r') + "end";
    write(f.outside() / "a", content);
    ::sync();
    const auto free = fs::space(disk).free;
    const auto whole = f.get(staged.take(order(f.outside() / "a")));
    CHECK(whole.shares_blocks);
    CHECK(whole.size == content.size());
    CHECK(whole.sample == content.substr(0, 512));
    const auto prefix = f.get(staged.take(order(f.outside() / "a", 10'000'001)));
    CHECK(prefix.shares_blocks);
    f.run(staged.flush(7));
    CHECK(free - fs::space(disk).free < 10'000'000);
    write(f.outside() / "a", "changed");
    CHECK(read(f.staging() / "uploads/7" / whole.name) == content);
    CHECK(read(f.staging() / "uploads/7" / prefix.name) == content.substr(0, 10'000'001));
    const auto blob = entry("a", content, true);
    f.run(staged.publish(7, model, {{.name = whole.name, .entry = blob}}));
    CHECK(f.held(model, blob));
    CHECK(read(f.repo() / "blobs" / blob.etag()) == content);
}

} // namespace

TEST_CASE("on XFS files are cloned") {
    const TempDir dir;
    const Image image{dir.path(), "mkfs.xfs -q -m reflink=1"};
    if (image) {
        check_clones(image.path());
    }
}

TEST_CASE("on btrfs files are cloned") {
    const TempDir dir;
    const Image image{dir.path(), "mkfs.btrfs -q"};
    if (image) {
        check_clones(image.path());
    }
}
