#pragma once

#include <array>
#include <span>
#include <string_view>

/// The help of each group of commands; `help_text` looks into all of them.
namespace wharf::cli {

struct HelpText {
    std::string_view command;
    std::string_view text;
};

std::span<const HelpText> download_helps();
std::span<const HelpText> upload_helps();
std::span<const HelpText> jobs_helps();
std::span<const HelpText> auth_helps();
std::span<const HelpText> quota_helps();

} // namespace wharf::cli
