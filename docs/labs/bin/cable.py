#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A cable that can be cut: passes octets between whoever connects here and a server, until it is told not to.

    cable.py HOST:PORT [OWN_PORT]

Type `cut`: nothing passes any longer, and neither side is told, as with a cable that somebody has pulled out.
`mend` puts it in again; end of file, or Ctrl-C, ends it all. Who cannot pull a real cable needs no right for this one.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys

CHUNK = 65536


class Cable:
    def __init__(self, server: tuple[str, int], port: int) -> None:
        self.server = server
        self.ready = selectors.DefaultSelector()
        self.other: dict[socket.socket, socket.socket] = {}  # each end, and the one behind it
        self.listener = socket.create_server(("127.0.0.1", port))
        self.ready.register(self.listener, selectors.EVENT_READ)
        self.is_whole = True

    @property
    def port(self) -> int:
        return self.listener.getsockname()[1]

    def run(self, console: int) -> None:
        self.ready.register(console, selectors.EVENT_READ)
        while True:
            for key, _ in self.ready.select():
                if key.fileobj is self.listener:
                    self.connect()
                elif key.fd == console:
                    words = os.read(console, CHUNK).decode().split()
                    if not words:
                        return
                    for word in words:
                        self.obey(word)
                elif key.fileobj in self.other:
                    self.carry(key.fileobj)

    def connect(self) -> None:
        near = self.listener.accept()[0]
        far = socket.create_connection(self.server)
        self.other[near], self.other[far] = far, near
        for end in (near, far):
            if self.is_whole:
                self.ready.register(end, selectors.EVENT_READ)

    def carry(self, end: socket.socket) -> None:
        """One bounded read, to the other end; end of file and reset pass, too."""
        try:
            octets = end.recv(CHUNK)
            if octets:
                self.other[end].sendall(octets)
                return
        except OSError:
            pass
        for one in (end, self.other[end]):
            self.ready.unregister(one)
            del self.other[one]
            one.close()

    def obey(self, word: str) -> None:
        if word not in ("cut", "mend") or self.is_whole == (word == "mend"):
            print(f"{word}: type cut, mend, or Ctrl-D; it is {'whole' if self.is_whole else 'cut'}", flush=True)
            return
        self.is_whole = word == "mend"
        for end in self.other:
            if self.is_whole:
                self.ready.register(end, selectors.EVENT_READ)
            else:
                self.ready.unregister(end)
        print(f"the cable is {'whole again' if self.is_whole else 'cut'}", flush=True)


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    host, _, port = sys.argv[1].rpartition(":")
    cable = Cable((host, int(port)), int(sys.argv[2]) if len(sys.argv) == 3 else 0)
    print(f"READY 127.0.0.1:{cable.port}", flush=True)
    cable.run(0)


if __name__ == "__main__":
    main()
