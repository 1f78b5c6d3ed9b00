#pragma once

#include "client/cli/job_wire.hpp"
#include "client/cli/local_time.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What jobs look like for people. Pure.
namespace wharf::cli {

/// Why something waits and until when, as far as that is known: "the Hub asked to wait 40 s, until
/// 15:04:05". `until` is RFC 3339.
std::string describe_wait(std::string_view reason, const std::optional<std::string>& until,
                          TimePoint now);

/// The state with all that belongs to it: "waiting: the Hub asked to wait 40 s, until 15:04:05".
std::string describe_state(const Job& job, TimePoint now);

/// Names a user whose number is known.
using UserName = std::function<std::string(std::int64_t uid)>;

/// The jobs in rows, within `width` columns where one is given; with whose they are where there is
/// a `user_name`, and with what they do when not all are downloads.
std::string render_jobs(const std::vector<Job>& jobs, TimePoint now,
                        std::optional<std::size_t> width, const UserName& user_name = {});

/// One job in "name  value" lines, what does not apply left out, and its files below.
std::string render_job(const ShownJob& shown, TimePoint now);

} // namespace wharf::cli
