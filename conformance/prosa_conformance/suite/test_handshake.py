# SPDX-License-Identifier: MIT
"""Chapter 4: the four frames of the handshake, seen by a client."""

from prosa_conformance.bracket import bracket
from prosa_conformance.bugs import flipped
from prosa_conformance.clauses import clause, gate
from prosa_conformance.server import Server


@gate
@clause("AUTH-08", quote="A server MUST answer a good HELLO with CHALLENGE")
@clause("AUTH-12", quote="`handshake_sig` of CHALLENGE MUST be the server's signature")
@clause("AUTH-18", quote="A server MUST answer a good AUTH with WELCOME")
def test_four_frames_make_a_session(server: Server) -> None:
    alice = server.connect("alice")
    alice.hello()
    alice.expect_challenge()
    alice.auth()
    alice.expect_welcome()


@clause("AUTH-16", quote="A server MUST refuse an AUTH whose signature does not verify with BAD_SIG")
def test_tampered_auth_signature(server: Server) -> None:
    with bracket(server) as mallory:
        mallory.hello()
        mallory.expect_challenge()
        mallory.auth(flipped(mallory.make_auth(), "handshake_sig"))
        mallory.expect_error("BAD_SIG")
