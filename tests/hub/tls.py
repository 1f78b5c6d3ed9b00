"""A certificate authority for one test run, made with the `openssl` command."""

from __future__ import annotations

import ipaddress
import ssl
import subprocess
from pathlib import Path

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


class Authority:
    """A CA in a directory. Clients trust `ca_file`; servers use what `issue` returns."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ca_file = directory / "ca.pem"
        self._ca_key = directory / "ca.key"
        directory.mkdir(parents=True, exist_ok=True)
        if not self.ca_file.exists():
            _openssl(
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", "30", "-subj", "/CN=wharf test CA",
                "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                "-keyout", str(self._ca_key), "-out", str(self.ca_file),
            )  # fmt: skip

    def issue(self, label: str, names: tuple[str, ...] = LOCAL_NAMES) -> tuple[Path, Path]:
        """A certificate for DNS names and addresses; returns its file and the key's."""
        certificate = self.directory / f"{label}.pem"
        key = self.directory / f"{label}.key"
        request = self.directory / f"{label}.csr"
        extensions = self.directory / f"{label}.ext"
        extensions.write_text(
            "basicConstraints=critical,CA:FALSE\n"
            "keyUsage=critical,digitalSignature\n"
            "extendedKeyUsage=serverAuth\n"
            f"subjectAltName={','.join(_alternative_name(name) for name in names)}\n"
        )
        _openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={names[0]}", "-keyout", str(key), "-out", str(request),
        )  # fmt: skip
        _openssl(
            "x509", "-req", "-in", str(request),
            "-CA", str(self.ca_file), "-CAkey", str(self._ca_key), "-CAcreateserial",
            "-days", "30", "-sha256",
            "-extfile", str(extensions), "-out", str(certificate),
        )  # fmt: skip
        return certificate, key


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _alternative_name(name: str) -> str:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return f"DNS:{name}"
    return f"IP:{name}"


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
