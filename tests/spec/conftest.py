# SPDX-License-Identifier: MIT
"""A small good tree, which each test spoils in one way."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

CHAPTER = """\
# 3. The wire

What follows is small, see [the tests](03-wire.md#31-frames) and section 3.1.

## 3.1 Frames

[WIRE-01] (peer, L0, vector) A frame MUST begin with the octets
0x50 0x52. Anything else is not ours.

[WIRE-02] (server, L1, wire) A server SHOULD be kind.

[WIRE-03] (client, audit, review(kindness is for people to judge)) A client MUST NOT be rude.

[WIRE-04] (program, L1, stdio) A program MAY sing.

> Rationale: a program that MUST sing sings badly.

The word `MUST` in a code span is only a word.

```
A packet MUST NOT be read here.
```

```hex
# vector: frame-one
0000  50 52 01 1e 00 00 00 04    header
0008  00 a0 00 00                 opaque = ""
```

```hex
# session: tiny step 1
5052011e00000000
```

## 3.2 Why

<!-- non-normative -->

One MUST have a reason.

### 3.2.1 Deeper

It MUST be a good one.
"""

SECURITY = """\
# 10. Security

## 10.3 Threats

| Threat | Answer | Clauses |
|---|---|---|
| noise | a header | WIRE-01 to WIRE-03 |
| all is read | none | 3.1 |
"""

PROMISES = """\
# Security

## Threats

| Threat | Clauses | Tested by |
|---|---|---|
| noise | WIRE-01 to WIRE-03 | [kind](conformance/prosa_conformance/suite/test_kind.py), [frames](spec/vectors) |
| all is read | 3.1 | nothing |
"""

TEST = '''\
"""Shows two clauses."""

from prosa_conformance.clauses import clause


@clause("WIRE-02", quote="A server SHOULD be kind")
def test_kind() -> None:
    """[WIRE-01] is shown by a vector."""
'''

VECTORS = {"vectors": [{
    "id": "frame-one", "clauses": ["WIRE-01"], "level": "L0",
    "request": "decode client 1024 5052011e0000000400a00000",
    "reply": {"verdict": "frame", "th1": "aabb"}, "steps": {"middle": "cc"},
}]}

SESSIONS = {"sessions": [{
    "id": "tiny", "seeds": {},
    "steps": [{"from": "client", "comment": "short", "hex": "5052011e00000000",
               "frame": {"frame": "PING", "type": 30, "version": 1, "length": 0, "fields": {}}}],
}]}

Edit = Callable[[str, str, str], None]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The root of a small tree without a fault."""
    texts = {
        "spec/03-wire.md": CHAPTER,
        "spec/10-security.md": SECURITY,
        "SECURITY.md": PROMISES,
        "spec/open-clauses.yaml": '- {id: WIRE-04, reason: "nobody listens yet"}\n',
        "spec/withdrawn.yaml": '- {id: WIRE-90, reason: "was wrong"}\n',
        "spec/vectors/frames.json": json.dumps(VECTORS),
        "spec/vectors/sessions.json": json.dumps(SESSIONS),
        "conformance/prosa_conformance/suite/test_kind.py": TEST,
        "tests/unit/test_frame.c": '/* [WIRE-01] */\nPROSA_CLAUSE("WIRE-01")\n',
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    shutil.copy(ROOT / "spec/registry.yaml", tmp_path / "spec/registry.yaml")
    return tmp_path


@pytest.fixture
def edit(tree: Path) -> Edit:
    """edit(file, old, new) replaces the one place of `old`; an empty `old` appends."""
    def replace(file: str, old: str, new: str) -> None:
        path = tree / file
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if old:
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
            text = text.replace(old, new)
        else:
            text += new
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return replace
