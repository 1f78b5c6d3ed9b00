#pragma once

#include <string_view>

namespace wharf::cli {

/// Makes sure that descriptors 0, 1 and 2 are taken, so that the socket can never become the
/// standard output of a caller who closed his own.
void reserve_standard_descriptors() noexcept;

/// Writes all of the text. Throws Error (storage, no_space) when that fails.
void write_all(int fd, std::string_view text);

/// Writes as much as can be written; for standard error, where a failure has no better place to go.
void write_quietly(int fd, std::string_view text) noexcept;

/// Writes results to standard output. Throws Error when nobody takes them.
void print_result(std::string_view text);

} // namespace wharf::cli
