# SPDX-License-Identifier: MIT
"""A real BIND 9 for one zone, which takes updates from whoever has the key.

    TSIG_SECRET=... python3 -m demo.props.nameserver ZONE KEY
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

FOLDER = Path("/tmp")
CONFIGURATION = """\
key "{key}" {{ algorithm hmac-sha256; secret "{secret}"; }};
options {{
    directory "{folder}"; pid-file none; session-keyfile none; managed-keys-directory "{folder}";
    listen-on {{ any; }}; listen-on-v6 {{ none; }}; recursion no; dnssec-validation no; empty-zones-enable no;
}};
controls {{ }};
zone "{zone}" {{ type primary; file "zone"; allow-update {{ key "{key}"; }}; }};
"""
ZONE = """\
$TTL 1
@ IN SOA ns.{zone}. nobody.{zone}. 1 60 60 600 1
@ IN NS ns.{zone}.
ns IN A 127.0.0.1
"""


def main(zone: str, key: str) -> None:
    words = {"zone": zone, "key": key, "secret": os.environ["TSIG_SECRET"], "folder": FOLDER}
    (FOLDER / "named.conf").write_text(CONFIGURATION.format(**words), encoding="utf-8")
    (FOLDER / "zone").write_text(ZONE.format(**words), encoding="utf-8")
    os.execvp("named", ["named", "-g", "-n", "1", "-c", str(FOLDER / "named.conf")])


if __name__ == "__main__":
    main(*sys.argv[1:])
