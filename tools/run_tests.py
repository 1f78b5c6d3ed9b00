"""Runs all suites of tests and ends with one line that sums them up: "N passed, N failed".

A suite that fails does not stop the others; the end of its log is shown. Logs stay in
build/test-logs. The exit code is 1 when anything failed, also when a suite ran no test at all.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / "build" / "test-logs"
VENVS = ROOT / "build" / "venvs"
JOBS = str(os.cpu_count() or 2)

THREADED = {"async", "net", "store", "access", "scheduling", "transfer", "jobs", "service"}
"""Unit tests that run under ThreadSanitizer: those of the folders that have to do with threads."""

SANITIZERS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:abort_on_error=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"
    # Suppressions go by names of functions, which only a symbolizer knows.
    ":external_symbolizer_path=/usr/bin/llvm-symbolizer-19"
    f":suppressions={ROOT / 'tests' / 'tsan.suppressions'}",
}

DOCTEST = re.compile(r"test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed \|\s*(\d+) skipped")
DOCTEST_ERROR = re.compile(r"^\S+:\d+: (?:FATAL )?ERROR: .*", re.MULTILINE)
LOG_LINES_SHOWN = 60
LONGEST_TEST = 180
"""Seconds after which one Python test is taken to hang."""


@dataclass
class Outcome:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    note: str = ""

    def add(self, other: Outcome) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


class StepFailed(Exception):
    """A step before the tests themselves went wrong; the text says which."""


@dataclass
class Log:
    """Where a suite's output goes."""

    path: Path

    def run(self, *command: str, limit: int = 1800, env: dict[str, str] | None = None) -> int:
        """The exit code. Whatever runs longer than `limit` seconds is ended with all its children."""
        with open(self.path, "a") as out:
            print(f"$ {' '.join(command)}", file=out, flush=True)
            process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )
            try:
                return process.wait(limit)
            except subprocess.TimeoutExpired:
                print(f"ended after {limit} s", file=out)
                return 124
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()

    def need(self, what: str, *command: str, **options: int) -> None:
        if self.run(*command, **options) != 0:
            raise StepFailed(what)

    def add(self, line: str) -> None:
        with open(self.path, "a") as out:
            print(line, file=out)

    def text(self) -> str:
        return self.path.read_text(errors="replace")


def run_format(log: Log) -> Outcome:
    ok = log.run("tools/format", "--check") == 0
    return Outcome(passed=int(ok), failed=int(not ok), note="" if ok else "tools/format mends it")


def run_layers(log: Log) -> Outcome:
    code = log.run(sys.executable, "tests/check_layers_test.py")
    text = log.text()
    ran = sum(int(n) for n in re.findall(r"^Ran (\d+) tests?", text, re.MULTILINE))
    failed = sum(int(n) for n in re.findall(r"(?:failures|errors)=(\d+)", text))
    failed = max(failed, int(code != 0))
    return Outcome(passed=max(ran - failed, 0), failed=failed)


def unit_tests(build: Path, wanted: set[str] | None) -> dict[str, str]:
    """Name and ninja target of each unit test; of those named only, unless `wanted` is None."""
    text = subprocess.check_output(["meson", "introspect", "--tests", str(build)], text=True)
    tests = {test["name"]: test["cmd"][0] for test in json.loads(text)}
    return {
        name: os.path.relpath(command, build)
        for name, command in tests.items()
        if wanted is None or name in wanted
    }


def unit_results(build: Path) -> list[dict[str, str]]:
    """What meson wrote of each program: `name`, `result` and all of its `stdout`."""
    return [json.loads(line) for line in (build / "meson-logs" / "testlog.json").read_text().splitlines()]


def count_unit_tests(results: list[dict[str, str]]) -> Outcome:
    """Sums up what the doctest programs said; one that said nothing counts as one test."""
    total = Outcome()
    for test in results:
        ok = test["result"] == "OK"
        if said := DOCTEST.search(test.get("stdout") or ""):
            passed, failed, skipped = map(int, said.groups())
            # A program that reports success and still ends badly, as sanitizers do, has failed.
            total.add(Outcome(passed, failed or int(not ok), skipped))
        else:
            total.add(Outcome(passed=int(ok), failed=int(not ok)))
    return total


def unit(kind: str, wanted: set[str] | None = None) -> Callable[[Log], Outcome]:
    def run(log: Log) -> Outcome:
        build = ROOT / {"release": "build"}.get(kind, f"build-{kind}")
        if not (build / "build.ninja").exists():
            log.need("configure", "tools/build", kind, "build.ninja")
        tests = unit_tests(build, wanted)
        # The release build is built whole: the other suites use its programs.
        targets = [] if kind == "release" else list(tests.values())
        log.need("build", "tools/build", kind, *targets)
        tests = unit_tests(build, wanted)  # the build may just have configured itself anew
        code = log.run(
            "meson", "test", "-C", str(build), "--no-rebuild", "--print-errorlogs",
            "--num-processes", JOBS, "--timeout-multiplier", "4", *tests, env=SANITIZERS,
        )
        results = unit_results(build)
        outcome = count_unit_tests(results)
        outcome.failed = max(outcome.failed, int(code != 0))
        # meson shows the end of what a program said, where the checks that failed may not be.
        for test in results:
            for error in DOCTEST_ERROR.findall(test.get("stdout") or "")[:5]:
                log.add(f"{test['name']}: {error}")
        return outcome

    return run


def run_fuzz(log: Log) -> Outcome:
    code = log.run("tools/fuzz")
    said = re.search(r"^fuzz: (\d+) targets passed, (\d+) failed$", log.text(), re.MULTILINE)
    passed, failed = map(int, said.groups()) if said else (0, 0)
    return Outcome(passed=passed, failed=max(failed, int(code != 0)))


def ensure_tools(log: Log) -> Path:
    """The interpreter that runs pytest, in an environment of its own."""
    home = VENVS / "tests"
    python = home / "bin" / "python"
    requirements = (ROOT / "tests" / "requirements.txt").read_text()
    stamp = home / "installed"
    if not stamp.exists() or stamp.read_text() != requirements:
        log.need("venv", sys.executable, "-m", "venv", "--clear", str(home))
        log.need("pip", str(python), "-m", "pip", "install", "--quiet", "-r", "tests/requirements.txt")
        stamp.write_text(requirements)
    clients = ROOT / "tests" / "support" / "client_venvs.py"
    if clients.exists():
        log.need("official clients", sys.executable, str(clients))
    return python


def pytest(folder: str, *, needs_build: bool) -> Callable[[Log], Outcome]:
    def run(log: Log) -> Outcome:
        if needs_build:
            log.need("build", "tools/build", "release")
        python = ensure_tools(log)
        report = LOGS / f"{Path(folder).name}.xml"
        report.unlink(missing_ok=True)
        code = log.run(
            str(python), "-m", "pytest", folder, "-q", "-ra", "--durations=5",
            f"--timeout={LONGEST_TEST}", f"--junitxml={report}", env={"WHARF_BUILD": str(ROOT / "build")},
        )
        if not report.exists():
            return Outcome(failed=1, note=f"pytest ended with {code}")
        suites = xml.etree.ElementTree.parse(report).getroot().iter("testsuite")
        counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
        for suite in suites:
            for name in counts:
                counts[name] += int(suite.get(name, 0))
        failed = max(counts["failures"] + counts["errors"], int(code != 0))
        return Outcome(
            passed=max(counts["tests"] - failed - counts["skipped"], 0),
            failed=failed, skipped=counts["skipped"],
        )

    return run


SUITES: dict[str, Callable[[Log], Outcome]] = {
    "format": run_format,
    "layers": run_layers,
    "unit": unit("release"),
    "unit-asan": unit("asan"),
    "fuzz": run_fuzz,  # in the same build
    "unit-tsan": unit("tsan", THREADED),
    "hub": pytest("tests/hub", needs_build=False),
    "integration": pytest("tests/integration", needs_build=True),
}
FAST = ("format", "layers", "unit")


def run_suite(name: str) -> Outcome:
    log = Log(LOGS / f"{name}.log")
    log.path.unlink(missing_ok=True)
    begin = time.monotonic()
    try:
        outcome = SUITES[name](log)
    except StepFailed as failure:
        outcome = Outcome(failed=1, note=f"{failure} failed")
    if outcome.passed + outcome.failed == 0:
        outcome = Outcome(failed=1, skipped=outcome.skipped, note="ran no test")
    state = "FAILED" if outcome.failed else "ok"
    note = f" ({outcome.note})" if outcome.note else ""
    if outcome.failed:
        lines = log.text().splitlines()[-LOG_LINES_SHOWN:] if log.path.exists() else []
        print("\n".join(f"  {name} | {line}" for line in lines))
        print(f"  the whole log: {log.path.relative_to(ROOT)}")
    print(f"{state:7} {name:12} {outcome} in {time.monotonic() - begin:.0f} s{note}", flush=True)
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/test", description=__doc__)
    parser.add_argument("--fast", action="store_true", help=f"only {', '.join(FAST)}")
    parser.add_argument("--suite", action="append", choices=SUITES, metavar="NAME", help="only this one; repeatable")
    parser.add_argument("--list", action="store_true", help="name the suites and end")
    options = parser.parse_args()
    if options.list:
        print("\n".join(SUITES))
        return 0
    LOGS.mkdir(parents=True, exist_ok=True)
    total = Outcome()
    for name in options.suite or (FAST if options.fast else SUITES):
        total.add(run_suite(name))
    print(total, flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
