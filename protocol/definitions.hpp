#pragma once

#include <span>
#include <string_view>

namespace wharf::protocol {

/// The texts of the interface definitions in this folder, from the very files: org.varlink.service
/// first.
std::span<const std::string_view> definitions() noexcept;

/// The version of the build: "0.1.0".
std::string_view version() noexcept;

} // namespace wharf::protocol
