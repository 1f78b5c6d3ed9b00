"""Planted violations are found, and what is allowed is left alone."""

from __future__ import annotations

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from check_layers import MAY_INCLUDE, check_file, check_tree  # noqa: E402


def header(text: str) -> str:
    return f"#pragma once\n{text}\n"


class Layers(unittest.TestCase):
    def assert_found(self, path: str, text: str, fragment: str) -> None:
        found = check_file(path, text)
        self.assertEqual(len(found), 1, found)
        self.assertIn(fragment, found[0])

    def assert_clean(self, path: str, text: str) -> None:
        self.assertEqual(check_file(path, text), [])

    def test_upward_includes(self) -> None:
        rows = [
            ("base/a.cpp", "protocol/frame.hpp"),
            ("base/a.cpp", "daemon/async/event.hpp"),
            ("protocol/a.cpp", "daemon/async/event.hpp"),
            ("client/cli/a.cpp", "daemon/hub/types.hpp"),
            ("daemon/async/a.cpp", "daemon/net/url.hpp"),
            ("daemon/net/a.cpp", "daemon/hub/types.hpp"),
            ("daemon/sqlite/a.cpp", "daemon/store/store.hpp"),
            ("daemon/hub/a.cpp", "daemon/store/store.hpp"),
            ("daemon/store/a.cpp", "daemon/transfer/flight.hpp"),
            ("daemon/scheduling/a.cpp", "daemon/transfer/flight.hpp"),
            ("daemon/transfer/a.cpp", "daemon/jobs/queue.hpp"),
            ("daemon/jobs/a.cpp", "daemon/service/session.hpp"),
            ("daemon/jobs/a.cpp", "protocol/message.hpp"),
            ("daemon/service/a.cpp", "daemon/config.hpp"),
            ("daemon/app.cpp", "client/lib/connection.hpp"),
            ("tests/unit/net/a_test.cpp", "daemon/hub/types.hpp"),
            ("tests/unit/protocol/a_test.cpp", "daemon/service/session.hpp"),
        ]
        for path, included in rows:
            with self.subTest(path=path, included=included):
                self.assert_found(path, f'#include "{included}"\n', f"{path}:1: ")

    def test_downward_includes(self) -> None:
        rows = [
            ("daemon/hub/a.cpp", "daemon/hub/types.hpp"),
            ("daemon/hub/a.cpp", "daemon/net/url.hpp"),
            ("daemon/service/a.cpp", "protocol/message.hpp"),
            ("daemon/app.cpp", "daemon/service/listener.hpp"),
            ("daemon/main.cpp", "daemon/config.hpp"),
            ("client/cli/a.cpp", "protocol/message.hpp"),
            ("tests/unit/net/a_test.cpp", "daemon/net/url.hpp"),
            ("tests/unit/net/a_test.cpp", "tests/support/temp_dir.hpp"),
            ("tests/unit/config/a_test.cpp", "daemon/config.hpp"),
        ]
        for path, included in rows:
            with self.subTest(path=path, included=included):
                self.assert_clean(path, f'#include "{included}"\n')

    def test_the_line_is_named(self) -> None:
        text = '#include <string>\n\n  #  include "daemon/jobs/queue.hpp"\n'
        self.assert_found("base/a.cpp", text, "base/a.cpp:3: ")

    def test_a_folder_that_no_layer_knows(self) -> None:
        self.assert_found("daemon/magic/a.cpp", '#include "base/error.hpp"\n', "list of layers")

    def test_own_headers_from_the_root(self) -> None:
        self.assert_found("daemon/net/a.cpp", '#include "url.hpp"\n', "from the root")
        self.assert_found("tests/unit/net/a.cpp", '#include "net/url.hpp"\n', "from the root")
        self.assert_clean("tests/unit/net/a.cpp", '#include "support.hpp"\n')

    def test_borders(self) -> None:
        rows = [
            ("simdjson.h", "daemon/hub/tree.cpp", "daemon/hub/hub_json.cpp"),
            ("sqlite3.h", "daemon/store/catalogue.cpp", "daemon/sqlite/database.cpp"),
            ("openssl/ssl.h", "daemon/hub/hub_client.cpp", "daemon/net/tls_stream.cpp"),
            ("boost/asio/ssl/stream.hpp", "daemon/app.cpp", "daemon/net/tls_stream.cpp"),
            ("boost/beast/http.hpp", "daemon/transfer/flight.cpp", "daemon/net/exchange.cpp"),
            ("toml++/toml.h", "daemon/config_user.cpp", "daemon/config.cpp"),
            ("systemd/sd-daemon.h", "daemon/app.cpp", "daemon/systemd.cpp"),
        ]
        for included, wrong, right in rows:
            with self.subTest(included=included):
                self.assert_found(wrong, f"#include <{included}>\n", wrong)
                self.assert_clean(right, f"#include <{included}>\n")
        shared = '#include "daemon/hub/dom_json.hpp"\n'  # brings simdjson along
        self.assert_found("daemon/hub/hub_client.cpp", shared, "dom_json.hpp")
        self.assert_clean("daemon/hub/upload_json.cpp", shared)
        self.assert_found("daemon/net/a.cpp", "#include <boost/asio.hpp>\n", "asio.hpp")
        self.assert_clean("base/digest.cpp", "#include <openssl/evp.h>\n")

    def test_heavy_headers_stay_out_of_headers(self) -> None:
        for included in ("boost/beast/http.hpp", "sqlite3.h", "toml++/toml.h", "simdjson.h"):
            with self.subTest(included=included):
                self.assert_found("daemon/net/a.hpp", header(f"#include <{included}>"), included)

    def test_headers_are_guarded(self) -> None:
        self.assert_found("base/a.hpp", "#include <string>\n", "#pragma once")
        self.assert_clean("base/a.hpp", header(""))

    def test_lengths(self) -> None:
        rows = [("base/a.cpp", 500), ("tests/unit/base/a_test.cpp", 600), ("tools/a.py", 500)]
        for path, limit in rows:
            with self.subTest(path=path):
                self.assert_clean(path, "\n" * limit)
                self.assert_found(path, "\n" * (limit + 1), "split it")
        self.assert_clean("base/a.hpp", "#pragma once\n" + "\n" * 249)
        self.assert_found("base/a.hpp", "#pragma once\n" + "\n" * 250, "split it")

    def test_layers_have_no_circle(self) -> None:
        for folder, below in MAY_INCLUDE.items():
            for other in below:
                self.assertNotIn(folder, MAY_INCLUDE[other], f"{folder} and {other}")

    def test_a_planted_file_in_a_tree(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            planted = Path(name) / "daemon" / "net" / "planted.cpp"
            planted.parent.mkdir(parents=True)
            planted.write_text('#include "daemon/jobs/queue.hpp"\n')
            files, found = check_tree(Path(name))
        self.assertEqual(files, 1)
        self.assertEqual(len(found), 1)

    def test_this_tree(self) -> None:
        files, found = check_tree(Path(__file__).resolve().parents[1])
        self.assertGreater(files, 50)
        self.assertEqual(found, [], "\n" + "\n".join(found))


if __name__ == "__main__":
    unittest.main()
