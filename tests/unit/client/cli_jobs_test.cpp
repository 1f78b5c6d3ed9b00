#include "client/cli/job_view.hpp"
#include "client/cli/local_time.hpp"
#include "client/cli/table.hpp"
#include "client/cli/text.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

using namespace wharf::cli;

namespace {

/// Sets the local time zone for one test; a POSIX one needs no database.
class Zone {
  public:
    explicit Zone(const char* name) {
        if (const char* before = std::getenv("TZ")) {
            before_ = before;
        }
        set(name);
    }
    ~Zone() { set(before_ ? before_->c_str() : nullptr); }
    Zone(const Zone&) = delete;
    Zone& operator=(const Zone&) = delete;

  private:
    static void set(const char* name) {
        name ? ::setenv("TZ", name, 1) : ::unsetenv("TZ");
        ::tzset();
    }

    std::optional<std::string> before_;
};

TimePoint at(const char* text) {
    return parse_time(text).value();
}

Job make_job() {
    Job job;
    job.id = 13;
    job.repo = "org/model";
    job.repo_type = "model";
    job.revision = "main";
    job.priority = "normal";
    job.state = "waiting";
    job.reason = "huggingface.co asked to wait 40 s";
    job.waiting_until = "2026-05-01T13:04:05Z";
    job.created = "2026-04-30T03:00:00Z";
    job.files_done = 3;
    job.files_total = 40;
    job.bytes_done = 1'000'000;
    job.bytes_total = 4'000'000;
    job.bytes_per_second = 500'000;
    return job;
}

std::size_t widest_line(const std::string& text) {
    std::size_t widest = 0;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = text.find('\n', begin);
        widest = std::max(widest, display_width(text.substr(begin, end - begin)));
        begin = end + 1;
    }
    return widest;
}

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("times are read as RFC 3339 says") {
    const auto epoch = [](const char* text) {
        return parse_time(text).value().time_since_epoch().count();
    };
    CHECK(epoch("1970-01-01T00:00:00Z") == 0);
    CHECK(epoch("2026-05-01T03:00:00Z") == 1777604400);
    CHECK(epoch("2026-05-01T05:00:00+02:00") == 1777604400);
    CHECK(epoch("2026-04-30T22:30:00.125-04:30") == 1777604400);
    CHECK(epoch("2028-02-29t00:00:00z") == 1835395200);
    for (const char* text :
         {"", "yesterday", "2026-05-01", "2026-05-01T03:00:00", "2026-13-01T03:00:00Z",
          "2026-02-29T03:00:00Z", "2026-05-01T03:00:00.Z", "2026-05-01T03:00:00Z ",
          "2026-05-01T03:00:00+0200", "2026-05-01T-3:00:00Z", "226-05-01T03:00:00Z"}) {
        CAPTURE(text);
        CHECK(!parse_time(text));
    }
}

TEST_CASE("times are shown in the local time zone, the date only when it is another day") {
    const Zone zone{"TEST-2"}; // two hours before UTC's clock
    const TimePoint now = at("2026-05-01T13:00:00Z");
    CHECK(short_time("2026-05-01T13:04:05Z", now) == "15:04:05");
    CHECK(short_time("2026-04-30T22:00:00Z", now) == "00:00:00");
    CHECK(short_time("2026-04-30T21:59:59Z", now) == "2026-04-30 23:59");
    CHECK(short_time("2025-05-01T13:04:05Z", now) == "2025-05-01 15:04");
    CHECK(full_time("2026-05-01T13:04:05Z") == "2026-05-01 15:04:05");
    CHECK(short_time("soon", now) == "soon");
    CHECK(full_time("soon") == "soon");
}

TEST_CASE("the state says why a job waits and until when") {
    const Zone zone{"TEST-2"};
    const TimePoint now = at("2026-05-01T13:00:00Z");
    Job job = make_job();
    CHECK(describe_state(job, now) == "waiting: huggingface.co asked to wait 40 s, until 15:04:05");
    job.waiting_until.reset();
    job.detached = true;
    CHECK(describe_state(job, now) == "waiting (detached): huggingface.co asked to wait 40 s");
    job.reason.clear();
    job.waiting_until = "2026-05-03T13:04:05Z";
    CHECK(describe_state(job, now) == "waiting (detached): until 2026-05-03 15:04");
    job.state = "running"; // what is left of the wait means nothing now
    CHECK(describe_state(job, now) == "running (detached), 500.0 KB/s");
    job.state = "done";
    CHECK(describe_state(job, now) == "done");
}

TEST_CASE("a list of jobs fits the terminal and keeps what is said of each") {
    const Zone zone{"TEST-2"};
    const TimePoint now = at("2026-05-01T13:00:00Z");
    Job failed = make_job();
    failed.id = 9;
    failed.repo = "meta-llama/Llama-3.2-90B";
    failed.repo_type = "dataset";
    failed.state = "failed";
    failed.reason.clear();
    failed.failure = JobFailure{"org.wharf.Gated", "no access", "ask for it"};
    const std::vector<Job> jobs{make_job(), failed};

    const std::string all = render_jobs(jobs, now, std::nullopt);
    CHECK(all ==
          "ID  REPO                               REV   FILES    SIZE  DONE  PRIORITY  CREATED"
          "           STATE\n"
          "13  org/model                          main   3/40  4.0 MB   25%  normal    2026-04-30 "
          "05:00  waiting: huggingface.co asked to wait 40 s, until 15:04:05\n"
          " 9  datasets/meta-llama/Llama-3.2-90B  main   3/40  4.0 MB   25%  normal    2026-04-30 "
          "05:00  failed: no access\n");
    CHECK(render_jobs(jobs, now, 200) == all);

    for (const std::size_t width : {120U, 100U, 80U, 76U}) {
        CAPTURE(width);
        const std::string narrow = render_jobs(jobs, now, width);
        CHECK(widest_line(narrow) <= width);
        CHECK(holds(narrow, "datasets/meta-llama/Llama-3.2-90B"));
        CHECK(!holds(narrow, "CREATED"));
    }
    const auto name = [](std::int64_t uid) { return "user" + std::to_string(uid); };
    const std::string with_users = render_jobs({make_job()}, now, std::nullopt, name);
    CHECK(holds(with_users, "ID  USER"));
    CHECK(holds(with_users, name(make_job().uid)));
    CHECK_FALSE(holds(all, "USER"));
    CHECK(render_jobs(jobs, now, 80) ==
          "ID  REPO                               DONE  STATE\n"
          "13  org/model                           25%  waiting: huggingface.co asked to\n"
          "                                             wait 40 s, until 15:04:05\n"
          " 9  datasets/meta-llama/Llama-3.2-90B   25%  failed: no access\n");
    CHECK(holds(render_jobs({make_job()}, now, 80), "PRIORITY"));
    CHECK(holds(render_jobs(jobs, now, 10), "failed: no")); // too narrow, but all is there
}

TEST_CASE("text is broken between words, and within one that is too long") {
    using Lines = std::vector<std::string>;
    CHECK(break_lines("", 10) == Lines{""});
    CHECK(break_lines("one two", 10) == Lines{"one two"});
    CHECK(break_lines("one two three", 7) == Lines{"one two", "three"});
    CHECK(break_lines("one two three", 8) == Lines{"one two", "three"});
    CHECK(break_lines("one  two", 4) == Lines{"one", "two"});
    CHECK(break_lines("abcdefgh ij", 3) == Lines{"abc", "def", "gh", "ij"});
    CHECK(break_lines("日本語", 4) == Lines{"日本", "語"});
    CHECK(break_lines("日本", 1) == Lines{"日", "本"});
}
