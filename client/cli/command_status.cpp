#include "client/cli/command_status.hpp"

#include "base/units.hpp"
#include "client/cli/daemon.hpp"
#include "client/cli/io.hpp"
#include "client/cli/job_view.hpp"
#include "client/cli/json_fields.hpp"
#include "client/cli/table.hpp"
#include "client/cli/text.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

namespace wharf::cli {

namespace {

namespace json = boost::json;

std::string speed(std::uint64_t bytes_per_second) {
    return format_size(bytes_per_second) + "/s";
}

std::string transfers_table(const json::array& transfers) {
    Table table{{"FILE", Align::left},  {"REPO", Align::left},   {"DONE", Align::right},
                {"SIZE", Align::right}, {"SPEED", Align::right}, {"JOBS", Align::right}};
    for (const json::value& element : transfers) {
        const json::object& transfer = as_object(element);
        table.add({text_member(transfer, "path"), text_member(transfer, "repo"),
                   format_size(size_member(transfer, "done")),
                   format_size(size_member(transfer, "total")),
                   speed(size_member(transfer, "bytes_per_second")),
                   std::to_string(size_member(transfer, "jobs"))});
    }
    return table.render();
}

std::string hosts_table(const json::array& hosts) {
    Table table{{"HOST", Align::left},
                {"CONNECTIONS", Align::right},
                {"LIMIT", Align::right},
                {"WAITING", Align::right}};
    for (const json::value& element : hosts) {
        const json::object& host = as_object(element);
        const auto number = [&host](const char* name) {
            return std::to_string(size_member(host, name));
        };
        table.add(
            {text_member(host, "host"), number("connections"), number("limit"), number("waiting")});
    }
    return table.render();
}

/// Why jobs of the caller wait, a line for each.
std::string waiting_jobs(Daemon& daemon, TimePoint now) {
    std::string out;
    daemon.gather("org.wharf.Jobs.List", {}, [&](const json::object& part) {
        for (const json::value& element : list_member(part, "jobs")) {
            const Job job = read_job(as_object(element));
            if (job.state == "waiting") {
                out += printable(fmt::format("job {} is {}", job.id, describe_state(job, now)));
                out += '\n';
            }
        }
    });
    return out;
}

/// What stands below the first lines, with an empty line above it where there is anything.
std::string section(const std::string& text) {
    return text.empty() ? "" : "\n" + text;
}

std::string to_text(const json::object& status, const std::string& socket) {
    const auto uptime = std::chrono::seconds{number_member(status, "uptime_seconds")};
    std::string out;
    const auto line = [&](std::string_view name, std::string_view value) {
        out += fmt::format("{:<10}{}\n", name, printable(value));
    };
    line("daemon", fmt::format("wharfd {}, process {}, up {}", text_member(status, "version"),
                               number_member(status, "pid"), format_duration(uptime)));
    line("socket", socket);
    line("endpoint", text_member(status, "endpoint"));
    line("cache", text_member(status, "cache_dir"));
    line("clients", std::to_string(size_member(status, "clients")));
    line("jobs", fmt::format("{} active, {} waiting", size_member(status, "jobs_active"),
                             size_member(status, "jobs_waiting")));
    line("received", fmt::format("{}, now {}", format_size(size_member(status, "bytes_received")),
                                 speed(size_member(status, "bytes_per_second"))));
    line("sent", fmt::format("{}, now {}", format_size(size_member(status, "bytes_sent")),
                             speed(size_member(status, "bytes_sent_per_second"))));
    const json::array& transfers = list_member(status, "transfers");
    out += section(transfers.empty() ? "" : transfers_table(transfers));
    // Not every daemon tells of hosts.
    const json::array* hosts = optional_list_member(status, "hosts");
    return out + section(hosts && !hosts->empty() ? hosts_table(*hosts) : "");
}

} // namespace

void run_status(const Session& session) {
    Daemon daemon{session.socket};
    const json::object status = daemon.call("org.wharf.Status");
    if (session.is(OutputFormat::json)) {
        print_json(status);
    } else if (session.is(OutputFormat::quiet)) {
        print_result(printable(text_member(status, "version")) + "\n");
    } else {
        const bool waiting = size_member(status, "jobs_waiting") > 0;
        print_result(to_text(status, session.socket) +
                     section(waiting ? waiting_jobs(daemon, current_time()) : ""));
    }
}

} // namespace wharf::cli
