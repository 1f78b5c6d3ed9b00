"""One cold file over TLS on loopback: wharf beside curl, aria2c and the official client.

    python3 tests/bench/cold_file.py [--size 4GiB] [--rounds 3] [--directory DIR]

nginx plays the CDN, the test Hub the Hub. Every client starts with nothing and writes the file to
the same disk; they take turns, so that a slow minute of the machine meets them all. Wall time is
what a person waits for; CPU seconds are the client's own (for wharf: daemon and command together).
Only wharf verifies what it got. Prints the medians, and wharf's ratio to each peer.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.hub import TestHub  # noqa: E402
from tests.hub.tls import Authority  # noqa: E402
from tests.support.client_venvs import ensure  # noqa: E402
from tests.support.daemon import Daemon  # noqa: E402
from tests.support.nginx import Nginx  # noqa: E402

UNITS = {"MiB": 1 << 20, "GiB": 1 << 30}


@dataclass
class Run:
    wall: float
    cpu: float
    memory: int
    """Largest resident size in bytes."""


@dataclass
class Setting:
    hub: TestHub
    cdn: Nginx
    etag: str
    work: Path
    ca_file: Path


def parse_size(text: str) -> int:
    for unit, factor in UNITS.items():
        if text.endswith(unit):
            return int(text[: -len(unit)]) * factor
    return int(text)


def make_file(path: Path, size: int) -> None:
    """Bytes that do not compress, made quickly: a key stream."""
    with open(path, "wb") as out:
        zeros = subprocess.Popen(["head", "-c", str(size), "/dev/zero"], stdout=subprocess.PIPE)
        subprocess.run(
            ["openssl", "enc", "-aes-128-ctr", "-K", "0" * 31 + "1", "-iv", "0" * 32],
            stdin=zeros.stdout,
            stdout=out,
            check=True,
        )
        zeros.wait()


def run_command(command: list[str], environment: dict[str, str] | None = None) -> Run:
    begin = time.monotonic()
    process = subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr
    complaints = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {complaints.decode(errors='replace')[-2000:]}")
    return Run(
        time.monotonic() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
    )


def process_cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_memory(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def wharf(setting: Setting) -> Run:
    with Daemon(
        setting.hub.endpoint,
        setting.work / "wharf",
        hub={"ca_file": str(setting.ca_file)},
        daemon={"log_level": "warning"},
    ) as daemon:
        before = process_cpu(daemon.pid)
        command, environment = daemon.command("download", "bench/model", "model.bin", "--quiet")
        run = run_command(command, environment)
        run.cpu += process_cpu(daemon.pid) - before
        run.memory = peak_memory(daemon.pid)
    return run


def curl(setting: Setting) -> Run:
    return run_command(
        ["curl", "-sS", "--cacert", str(setting.ca_file), "-o", str(setting.work / "curl.bin"),
         f"{setting.cdn.url}/{setting.etag}"]
    )  # fmt: skip


def curl_and_hash(setting: Setting) -> Run:
    target = setting.work / "curl.bin"
    script = (
        f"curl -sS --cacert {setting.ca_file} -o {target} {setting.cdn.url}/{setting.etag}"
        f" && openssl dgst -sha256 {target}"
    )
    return run_command(["sh", "-c", script])


def aria2(connections: int) -> Callable[[Setting], Run]:
    def run(setting: Setting) -> Run:
        return run_command(
            ["aria2c", "-q", f"-x{connections}", f"-s{connections}", "-k1M",
             "--file-allocation=falloc", f"--ca-certificate={setting.ca_file}",
             "-d", str(setting.work), "-o", "aria2.bin", f"{setting.cdn.url}/{setting.etag}"]
        )  # fmt: skip

    return run


def official(setting: Setting) -> Run:
    home = setting.work / "hf"
    return run_command(
        [str(ensure("2").parent / "hf"), "download", "bench/model", "model.bin", "--quiet"],
        {
            "HF_HOME": str(home),
            "HF_ENDPOINT": setting.hub.endpoint,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "SSL_CERT_FILE": str(setting.ca_file),
        },
    )


CLIENTS: dict[str, Callable[[Setting], Run]] = {
    "wharf (verified)": wharf,
    "curl": curl,
    "curl + sha256": curl_and_hash,
    "aria2c -x8": aria2(8),
    "aria2c -x16": aria2(16),
    "hf download": official,
}


def measure(arguments: argparse.Namespace, base: Path) -> dict[str, list[Run]]:
    size = parse_size(arguments.size)
    served = base / "served"
    served.mkdir()
    make_file(base / "model.bin", size)
    with TestHub(tls=True, directory=base / "hub") as hub:
        assert hub.ca_file
        with Nginx(base / "nginx", served, Authority(hub.ca_file.parent)) as cdn:
            hub.admin.configure(outside_cdn=cdn.url)
            hub.admin.create_repo(
                "bench/model", files={"model.bin": {"path": str(base / "model.bin")}}, lfs_threshold=1
            )
            etag = hub.admin.files("bench/model")["model.bin"]["etag"]
            (base / "model.bin").rename(served / etag)
            runs: dict[str, list[Run]] = {name: [] for name in CLIENTS}
            for number in range(arguments.rounds + 1):
                for name, client in CLIENTS.items():
                    work = base / "work"
                    work.mkdir()
                    os.sync()
                    run = client(Setting(hub, cdn, etag, work, hub.ca_file))
                    shutil.rmtree(work)
                    if number > 0:  # the first round warms up the page cache and the disk
                        runs[name].append(run)
                        print(f"  {name}: {run.wall:.2f} s, {run.cpu:.2f} CPU s", flush=True)
    return runs


def report(runs: dict[str, list[Run]], size: int) -> None:
    gib = size / (1 << 30)

    def median(name: str, field: str) -> float:
        return statistics.median(getattr(run, field) for run in runs[name])

    print(f"\n{gib:g} GiB over TLS, medians of {len(next(iter(runs.values())))} rounds")
    print("| client | wall s | CPU s | CPU s per GiB | peak MiB | wharf's wall ratio | CPU ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    ours = next(iter(runs))
    for name in runs:
        wall, cpu = median(name, "wall"), median(name, "cpu")
        print(
            f"| {name} | {wall:.2f} | {cpu:.2f} | {cpu / gib:.2f} "
            f"| {median(name, 'memory') / (1 << 20):.0f} "
            f"| {median(ours, 'wall') / wall:.2f} | {median(ours, 'cpu') / cpu:.2f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", default="4GiB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", type=Path, help="where the files are written")
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory(prefix="wharf-bench-", dir=arguments.directory) as base:
        report(measure(arguments, Path(base)), parse_size(arguments.size))


if __name__ == "__main__":
    main()
