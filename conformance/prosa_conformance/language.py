# SPDX-License-Identifier: MIT
"""The language in which the suite speaks: English, or Brazilian Portuguese, through gettext.

    _("the {role} did not send {what}").format(role=role, what=what)

Values go in by name and after the look-up, never as an f-string inside `_()`. `N_` marks words of a
table, which are looked up with `_` when they are shown. Names of the protocol stay as they are.
"""

from __future__ import annotations

import gettext as _gettext
import os
from collections.abc import Mapping
from pathlib import Path

LANGUAGES = ("en", "pt_BR")
DOMAIN = "prosa"
LOCALE = Path(__file__).parent / "locale"
VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")

_catalogue = _gettext.NullTranslations()
_chosen = "en"


def _(message: str) -> str:
    """The words in the chosen language."""
    return _catalogue.gettext(message) if message else ""


def ngettext(one: str, many: str, count: int) -> str:
    """The words for this many."""
    return _catalogue.ngettext(one, many, count)


def pgettext(context: str, message: str) -> str:
    """The words in the language, where one English word stands for several things."""
    return _catalogue.pgettext(context, message)


def N_(message: str) -> str:
    """Words that are looked up later."""
    return message


def choose(lang: str = "") -> None:
    """Speak this language from here on; without one the language that the environment asks for."""
    global _catalogue, _chosen
    _chosen = lang or wanted(os.environ)
    _catalogue = _gettext.NullTranslations()
    if _chosen != "en":
        _catalogue = _gettext.translation(DOMAIN, LOCALE, [_chosen])


def chosen() -> str:
    return _chosen


def to_ask_for() -> list[str]:
    """The words of a command line that speaks this language in this environment."""
    return [] if _chosen == wanted(os.environ) else ["--lang", _chosen]


def wanted(environment: Mapping[str, str]) -> str:
    """The language of the locale: any Portuguese is served in that of Brazil."""
    locale = next((environment[name] for name in VARIABLES if environment.get(name)), "")
    return "pt_BR" if locale.lower().startswith("pt") else "en"
