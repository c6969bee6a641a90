# SPDX-License-Identifier: MIT
"""Chapter 4 seen by a scripted server: how the client under test shakes hands."""

from prosa_conformance.clauses import clause, gate
from prosa_conformance.fixtures import StartClient
from prosa_conformance.scripted_server import ScriptedServer


@gate
@clause("AUTH-15", quote="`handshake_sig` of AUTH MUST be the client's signature")
@clause("CON-08", quote="A client MUST take each line of its stdin as a message to send")
@clause("END-07", quote="`exit` typed at the client MUST send BYE NORMAL, and the client ends with exit code 0")
def test_a_question_and_its_answer(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    client = start_client(scripted_server)
    session = scripted_server.serve(client.program)
    client.expect_event("joined", room="@host")
    client.type_line("how are you?")
    question = session.take_question(text="how are you?")
    client.expect_event("message", text="how are you?", own=True)
    session.give_answer(question, "fine")
    client.expect_event("message", text="fine", nick="host", own=False)
    client.type_line("exit")
    session.answer_bye()
    client.expect_closed(0)
