# SPDX-License-Identifier: MIT
"""What every exporter says of a level, in the same words."""

from __future__ import annotations

import textwrap

from prosa_conformance.clauses import all_clauses, plain
from prosa_conformance.language import _, ngettext
from prosa_grading.grade import Grade
from prosa_grading.points import Mark

TEXT = 200


def title(grade: Grade, name: str) -> str:
    share = grade.shares[name]
    words = ngettext(
        "{level}: {kept} of one requirement kept", "{level}: {kept} of {count} requirements kept", share.counted
    )
    return words.format(level=name, kept=share.kept, count=share.counted)


def details(grade: Grade, name: str) -> str:
    """The requirements that are not kept, quoted."""
    lines = []
    for mark, words in ((Mark.BROKEN, _("broken")), (Mark.NOT_SHOWN, _("not shown"))):
        for clause, its in grade.shares[name].marks.items():
            if its is mark:
                text = textwrap.shorten(plain(all_clauses()[clause].text), TEXT, placeholder=" ...")
                lines.append(f"{clause} {words}: {text}")
    return "\n".join(lines)
