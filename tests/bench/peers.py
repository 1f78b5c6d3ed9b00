"""How the official client is run beside wharf."""

from __future__ import annotations

from pathlib import Path

from tests.bench.measure import Run, run_command
from tests.support.client_venvs import ensure

NEWEST = "2"


def run_official(
    venv: str, home: Path, endpoint: str, ca_file: Path | None, *arguments: str
) -> Run:
    """`hf download` with nothing cached and no telemetry. `venv`: see `client_venvs`."""
    environment = {
        "HF_HOME": str(home),
        "HF_ENDPOINT": endpoint,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    if ca_file:
        environment["SSL_CERT_FILE"] = str(ca_file)
    program = ensure(venv).parent / "hf"
    return run_command([program, "download", *arguments, "--quiet"], environment)
