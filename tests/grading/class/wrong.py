# SPDX-License-Identifier: MIT
"""Listens, and knows nothing of the protocol: it sends back whatever comes."""

import os
import socket

listener = socket.create_server((os.environ["PROSA_HOST"], int(os.environ["PROSA_PORT"])))
print("READY {}:{}".format(*listener.getsockname()), flush=True)
while True:
    with listener.accept()[0] as client:
        while octets := client.recv(4096):
            client.sendall(octets)
