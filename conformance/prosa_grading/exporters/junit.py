# SPDX-License-Identifier: MIT
"""JUnit XML of a whole class: a suite a student, a case a clause. Each student's own junit.xml has the tests."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from prosa_conformance.language import _
from prosa_conformance.visible import visible
from prosa_grading.grade import Grade
from prosa_grading.points import MARK_WORDS, Mark

BAD = (Mark.BROKEN, Mark.NOT_SHOWN)


def document(grades: Sequence[Grade]) -> str:
    root = ElementTree.Element("testsuites", name="PROSA/1")
    for grade in grades:
        root.append(_suite(grade))
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(grade: Grade) -> ElementTree.Element:
    """Of who could not be graded it has one case, which is an error and no failure."""
    suite = ElementTree.Element("testsuite", name=visible(grade.student), time=f"{grade.seconds:.1f}")
    for name, share in grade.shares.items() if grade.is_graded else ():
        for clause, mark in share.marks.items():
            case = ElementTree.SubElement(suite, "testcase", classname=name, name=clause)
            if mark in BAD:
                ElementTree.SubElement(case, "failure", message=_(MARK_WORDS[mark]))
            elif mark is not Mark.KEPT:
                ElementTree.SubElement(case, "skipped", message=_(MARK_WORDS[mark]))
    if not grade.is_graded:
        case = ElementTree.SubElement(suite, "testcase", classname="grade", name=visible(grade.student))
        ElementTree.SubElement(case, "error", message=visible(grade.words))
    cases = list(suite)
    suite.set("tests", str(len(cases)))
    for plural, singular in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(plural, str(sum(case.find(singular) is not None for case in cases)))
    return suite
