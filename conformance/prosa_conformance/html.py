# SPDX-License-Identifier: MIT
"""The report as one page, made of result.json alone.

    python -m prosa_conformance.html result.json > page.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jinja2


def page(table: Mapping[str, Any]) -> str:
    return jinja2.Template("{{ sentence }}", autoescape=True).render(table)
