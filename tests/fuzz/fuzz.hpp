#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

/// What all fuzz targets share. A target is one file that defines run(); what it gets comes from
/// libFuzzer, and whatever it must not do ends the process, which makes libFuzzer keep the input.
namespace wharf::fuzz {

/// One try with one input: the target itself. Exceptions count as failures.
void run(std::string_view input);

/// Ends the process, naming the promise, unless it `holds`.
void require(bool holds, std::string_view promise);

/// In this scope, at no time may there be more than `bytes` of memory in use beyond what was in use
/// at its beginning. One at a time.
class MemoryLimit {
  public:
    explicit MemoryLimit(std::size_t bytes);
    MemoryLimit(const MemoryLimit&) = delete;
    MemoryLimit& operator=(const MemoryLimit&) = delete;
    ~MemoryLimit();

  private:
    std::size_t bytes_;
};

/// The places where a stream of bytes is cut, as the fuzzer chooses them: the last bytes of an
/// input are lengths (0 stands for 256), used in turn and over again.
class Cuts {
  public:
    static constexpr std::size_t count = 4;

    /// Takes the lengths off the input's end. An input that has none is cut nowhere.
    static Cuts take(std::string_view& input);

    std::size_t next() noexcept { return lengths_[used_++ % lengths_.size()]; }

  private:
    std::vector<std::size_t> lengths_;
    std::size_t used_ = 0;
};

/// Takes the text before the next `separator` off the front, and the separator.
std::string_view take_until(std::string_view& text, char separator) noexcept;

/// Whether this may be shown on a terminal in one line: UTF-8 without control characters.
bool is_printable(std::string_view text) noexcept;

} // namespace wharf::fuzz
