#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace wharf::test {

/// The content of a file of the source tree. The path is from the tree's root, where tests that
/// use it run.
inline std::string source_file(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    REQUIRE_MESSAGE(file.good(), "there is no " << path);
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// The content of a file that `text` is to be compared with. With WHARF_ACCEPT=1 in the environment
/// the text is written to the file first.
inline std::string golden(const std::string& path, const std::string& text) {
    if (const char* accept = std::getenv("WHARF_ACCEPT"); accept != nullptr && *accept == '1') {
        std::ofstream{path, std::ios::binary} << text;
    }
    return source_file(path);
}

} // namespace wharf::test
