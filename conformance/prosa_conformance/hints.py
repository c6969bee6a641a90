# SPDX-License-Identifier: MIT
"""What a symptom usually means, in the words that one would say to a fellow student."""

from prosa_conformance.language import N_, _

HINTS = {
    "silence": N_(
        "Nothing came. Either the program never saw the frame (is it blocked in another recv(), "
        "input() or readline()? does it wait for more octets than were sent, because it reads `length` as "
        "little-endian or counts the header in?), or the answer never left "
        "(is it in a buffer that nobody flushes, or did send() write a part only?)."
    ),
    "no-ack": N_(
        "All but the ACK came. It tells what was taken (acked_counter, or seen_seq of a client) and how far the other "
        "side may go on (limit_counter, limit_seq): without it nothing more may be sent. In @host the ACK that raises "
        "the limit goes out right behind the answer's DELIVER. Is it made at all, and is it flushed?"
    ),
    "controls": N_(
        "What came over the wire may move the cursor, erase a line or turn its direction around. Replace such "
        "characters before they are printed anywhere, in logs, too: a visible stand-in on a terminal, an escape in "
        "JSON (in Python: json.dumps escapes all that is not ASCII, and repr() shows what is not printable)."
    ),
    "closed": N_(
        "The program closed the connection. Does it take recv() returning 0, or an answer that it did not expect, for "
        "the end? An uncaught exception closes the sockets, too: then its last words stand below, as its stderr."
    ),
    "no-error": N_(
        "The refusal has no words: the connection ended, and the ERROR never came. A refusal is ERROR with the code, "
        "then shutdown(SHUT_WR), then reading until end of file, then close(). Is the ERROR still in a buffer that "
        "nobody flushed, or did an exception close the socket before it was written?"
    ),
    "other-error": N_(
        "The program does refuse, for another reason: compare the two codes. A check that comes earlier has caught the "
        "frame, or the code is a constant in the wrong place. The table of codes is in section 7.2."
    ),
    "refuses-good": N_(
        "The program refused what is good: the code, the reason and the clause of its ERROR stand under Actual, and "
        "what the suite sent stands above as steps. Does the check compare with the right value, and with all octets?"
    ),
    "exit-code": N_(
        "The program ended by itself, with another exit code than the contract has (sections 13.3 and 13.4): where the "
        "code is decided, give it to exit() or return it from main(). An uncaught exception ends Python with 1."
    ),
    "row": N_(
        "A member gets every entry once, one room_seq after the other. Keep for each member the room_seq that it "
        "was sent last, and send the next one, and only that; a list that two threads change takes a lock."
    ),
    "order": N_(
        "There is one order for everybody: give room_seq in one place, under one lock, and put the entry into the "
        "room's log before anybody is sent it. Who sends to all members straight from the thread that received has as "
        "many orders as threads."
    ),
    "forged": N_(
        "A message is passed on octet for octet as its author signed it: fields that you do not know, too, in their "
        "order. Who builds it anew from the parts that he understood breaks the signature."
    ),
    "reset": N_(
        "The connection was reset (RST). The usual cause: close() while octets that came were still unread. "
        "TCP then throws away what was on its way, even the last ERROR. Send, shutdown(SHUT_WR), read until end "
        "of file, then close()."
    ),
    "short": N_(
        "The stream ended inside a frame. send() may write fewer octets than it was given: use sendall(), or "
        "repeat with the rest; and a frame must be whole before the socket is closed."
    ),
    "malformed": N_(
        "Compare the octets with the frame's row in section 3.6: order of tags, length of each value, and "
        "big-endian numbers. `length` counts the fields without the header."
    ),
    "byte-order": N_(
        "The octets of `length` stand the wrong way round: as a little-endian number it would be a good one. "
        "Numbers are big-endian on the wire: htonl() in C, struct.pack('>I', n) in Python, ByteBuffer's own order in "
        "Java."
    ),
    "accepted": N_(
        "The program went on as if nothing were wrong; what it sent stands under Actual. Is the check that the clause "
        "asks for missing, is its result looked at, and does it come before the message is taken?"
    ),
    "deadline": N_(
        "The deadline counts from accept(). A timeout of recv() begins anew at each octet: keep the time at which "
        "the connection has to be READY, and wait only for what is left of it."
    ),
    "still-open": N_(
        "The connection was expected to end. After a fatal ERROR or a BYE: shutdown(SHUT_WR), read until end of "
        "file or linger_ms, close(). Is a second descriptor (a dup, a child process) keeping it open?"
    ),
    "stalled": N_("The program does not read. Is it waiting for the console, or for another client?"),
    "refused": N_(
        "Nobody accepted the connection. Does the program go back to accept() after a client has gone, and does "
        "it listen on PROSA_HOST and PROSA_PORT?"
    ),
    "ready": N_(
        "READY must reach the suite: print it after listen(), on a line of its own, and flush. Output to a pipe is "
        "buffered in most languages: print(..., flush=True), fflush(stdout), System.out.flush()."
    ),
    "early-question": N_(
        "JOINED and ACK say in limit_counter up to which counter may be sent. Keep what is typed meanwhile in a queue, "
        "and send the next line when an ACK has raised the limit."
    ),
    "early-end": N_(
        "The program ended while it was still needed. Its last words on stderr, if it had any, stand below."
    ),
    "in-use": N_(
        "The port was still taken (EADDRINUSE). Set SO_REUSEADDR before bind(): connections of a former life "
        "stay in TIME_WAIT for a minute."
    ),
    "command": N_("Can you type the command in the folder of prosa.toml? A script needs its interpreter in front."),
    "crash": N_(
        "The program was ended by a signal or by an uncaught exception. SIGSEGV: memory that is not yours; SIGABRT: an "
        "assert or a sanitizer; SIGPIPE: writing to a connection that the other side has closed; ignore it with "
        "signal(SIGPIPE, SIG_IGN) or MSG_NOSIGNAL."
    ),
    "memory": N_(
        "A program in an image has 256 MB of memory, and no swap. Does something grow with every message: a list, a "
        "queue that nobody empties, a buffer for a client that does not read? It ends at a limit (chapter 9)."
    ),
    "no-space": N_(
        "There was no more room. In an image a program may write to PROSA_DATA and /tmp, some megabytes, and no file "
        "beyond 64 MB. Is something written again and again, a log perhaps?"
    ),
    "read-only": N_(
        "An image is read-only while it is tested: only PROSA_DATA and /tmp can be written. Keep keys and logs in "
        "PROSA_DATA, and what need not last in /tmp."
    ),
    "many-processes": N_(
        "In an image a program may have 128 processes and threads in all. Is one started for each message or client, "
        "and never ended or joined?"
    ),
    "entry-point": N_(
        "The image's ENTRYPOINT could not be run. Does the file exist in the image, is it executable (chmod +x), is "
        "its interpreter there, and is it for this machine's processor? `docker run --rm IMAGE` shows the same."
    ),
    "sanitizer": N_("A sanitizer stopped at the first wrong memory access: the stack is on stderr below."),
    "hangs": N_(
        "The program did not end. A thread that blocks in recv() or input() keeps a process alive: wake it up, or "
        "make it a daemon thread."
    ),
    "console": N_("Read stdin all the time, also when nobody has asked: an operator may type at any moment."),
    "flush": N_("The answer may be in a buffer: flush after every line."),
    "no-event": N_(
        "Events go to stdout, one JSON object a line, flushed at once: print(json.dumps(event), flush=True)."
    ),
}


def hint(symptom: str) -> str:
    return _(HINTS.get(symptom, ""))
