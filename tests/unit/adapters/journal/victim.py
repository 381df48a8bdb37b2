"""A daemon that dies: forks processes that lead a journal until somebody, or they themselves, kill -9.

Each line on stdin orders one life; what it says on stdout is what it had acknowledged. Forking
saves the second that importing takes, so that dozens of deaths fit into a test.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
from samples import NOW, down, ended, fence
from sqlalchemy import Engine
from sqlalchemy import event as hooks

from koboshi.adapters.journal.sql import SqlJournal
from koboshi.domain.memory.commands import Outcome


def tell(**what: Any) -> None:
    """Write one line at once: a buffer would die with us."""
    os.write(1, json.dumps(what).encode() + b"\n")


def die_at(engine: type[Engine] | Engine, statement: int) -> None:
    """Kill this process right before its n-th statement; commits count as statements."""
    left = [statement]

    def count(*_args: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    hooks.listen(engine, "before_cursor_execute", count)
    hooks.listen(engine, "commit", count)


async def live(order: dict[str, Any]) -> None:
    """Lead the journal; append batches of three events that open one command and end another."""
    if order["die_opening_at"]:
        die_at(Engine, order["die_opening_at"])
    journal = await SqlJournal.open_to_lead(Path(order["path"]), "victim")
    if order["with_child"]:
        # Nothing is closed for it: only the flag of the lock's own descriptor keeps it out.
        tell(child=subprocess.Popen(["sleep", "60"], close_fds=False).pid)
    tell(leads=journal.epoch)
    name = f"c-{journal.epoch}"
    await journal.append(NOW, [fence(f"{name}-0", name), down("x"), down("y")])
    tell(acknowledged=3)
    if order["die_appending_at"]:
        die_at(journal.writer, order["die_appending_at"])
    for n in range(1, order["appends"] + 1):
        over = ended(f"{name}-{n - 1}", Outcome.DONE)
        await journal.append(NOW, [over, fence(f"{name}-{n}", name), down(f"host-{n}")])
        tell(acknowledged=3)
    tell(survived=True)
    await anyio.sleep(order["linger_s"])


def main() -> None:
    """Live one life for each line."""
    anyio.run(anyio.sleep, 0)  # imports the event loop once, rather than in each life
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            tell(pid=os.getpid())
            try:
                anyio.run(live, json.loads(line))
            finally:
                os._exit(1)
        os.waitpid(pid, 0)
        tell(dead=True)


if __name__ == "__main__":
    main()
