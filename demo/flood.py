# SPDX-License-Identifier: MIT
from demo.stage import Stage


async def play(stage: Stage) -> None: ...
