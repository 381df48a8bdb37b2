"""Several questions to one address at once: the best answer is the network's word.

They go over the same wires, so they fail together and have one vote. A program's answer ends the
waiting. Where nothing answers, one question that could not be asked makes the silence count nothing.
"""

from collections.abc import Sequence

import anyio

from koboshi.domain.facts.cloud import ProbeAnswer
from koboshi.ports.probe import Probe

_BEST_FIRST = (
    ProbeAnswer.USERLAND,
    ProbeAnswer.KERNEL,
    ProbeAnswer.OWN_TROUBLE,
    ProbeAnswer.SILENT,
)


class SeveralProbes:
    """Implements `koboshi.ports.probe.Probe`."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self._probes = tuple(probes)
        self.name = "+".join(probe.name for probe in self._probes)

    async def ask(self, address: str) -> ProbeAnswer:
        """Ask everything at once."""
        answers: set[ProbeAnswer] = set()

        async with anyio.create_task_group() as tasks:

            async def one(probe: Probe) -> None:
                answers.add(await probe.ask(address))
                if ProbeAnswer.USERLAND in answers:
                    tasks.cancel_scope.cancel()

            for probe in self._probes:
                tasks.start_soon(one, probe)
        return next((a for a in _BEST_FIRST if a in answers), ProbeAnswer.OWN_TROUBLE)
