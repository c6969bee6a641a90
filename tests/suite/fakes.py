# SPDX-License-Identifier: MIT
"""Programs that are no servers: each does one thing wrong that has fooled other suites.

python3 tests/suite/fakes.py NAME
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

HOSTILE = (
    "</pre></script><script>document.title='taken'</script><img src=x onerror=alert(1)>\x1b[31m\x07\u202etxt\u2028"
)


def ready(text: str = "READY") -> socket.socket:
    listener = socket.create_server((os.environ["PROSA_HOST"], int(os.environ["PROSA_PORT"])))
    print("{} {}:{}".format(text, *listener.getsockname()), flush=True)
    return listener


def never_ready() -> None:
    """Serves, but tells nobody."""
    ready("listening on").accept()


def not_flushed() -> None:
    """Prints READY into a buffer that stays where it is."""
    listener = socket.create_server((os.environ["PROSA_HOST"], int(os.environ["PROSA_PORT"])))
    with open(1, "w", buffering=4096, closefd=False) as stdout:
        print("READY {}:{}".format(*listener.getsockname()), file=stdout)
        listener.accept()


def ends_at_once() -> None:
    """Ends well, which is no good start."""


def crashes_at_start() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def crashes_on_first_octet() -> None:
    """A crash closes the connection, too: it must never look like a refusal."""
    listener = ready()
    connection, _ = listener.accept()
    connection.recv(1)
    os.kill(os.getpid(), signal.SIGSEGV)


def crashes_with_words() -> None:
    connection, _ = ready().accept()
    connection.recv(1)
    sys.exit("my last words")


def closes_everything() -> None:
    """Refuses all it is sent, the good as well as the bad."""
    listener = ready()
    while True:
        listener.accept()[0].close()


def silent() -> None:
    """Accepts, reads, and says nothing."""
    listener = ready()
    while True:
        connection, _ = listener.accept()
        while connection.recv(4096):
            pass


def announced() -> None:
    """Tells a waiting test its process id before it serves like the silent one."""
    with Path(os.environ["ANNOUNCED_TO"]).open("w") as pipe:
        print(os.getpid(), file=pipe)
    silent()


def mute_from_its_third_life() -> None:
    """Good in the preflight and at the gate; then it says who it is, accepts, and is silent."""
    lives = Path(os.environ["LIVES"])
    (lives / str(os.getpid())).touch()
    if len(list(lives.iterdir())) > 2:
        announced()
    import mini_server

    sys.argv = sys.argv[:1]
    mini_server.main()


def not_there() -> None:
    """Says honestly that it does not have the level."""
    sys.exit(89)


def hostile() -> None:
    """Says on the wire and on stderr what would steer whoever shows it as it is."""
    from prosa_conformance import codec

    listener = ready()
    print(HOSTILE, file=sys.stderr, flush=True)
    while True:
        connection, _ = listener.accept()
        connection.recv(4096)
        connection.sendall(codec.encode(codec.frame("ERROR", code="INTERNAL", reason=HOSTILE)))
        connection.close()


def knows_nothing() -> None:
    """A codec that has the same answer to everything."""
    for _ in sys.stdin:
        print('{"verdict": "unsupported"}', flush=True)


def complains_like_a_sanitizer() -> None:
    """A sanitizer that reports without ending the program."""
    print("server.c:1: runtime error: signed integer overflow", file=sys.stderr, flush=True)
    closes_everything()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
