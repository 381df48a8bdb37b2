"""Asking the simulated servers: whether the program answers at the place that a server's metadata name."""

import anyio

from koboshi.domain.alone.checks import HEALTH_KEY, Target
from koboshi.domain.facts.cloud import ProbeAnswer
from koboshi.sim.database import Database
from koboshi.sim.uplink import Uplink

TIMEOUT_S = 3.0
ANSWER_S = 0.01


def _as_url(said: str) -> str:
    """Return a place as an address of the web: `tcp:ADDRESS:PORT` is told without slashes."""
    kind, _, rest = said.partition(":")
    return f"{kind}://{rest.removeprefix('//')}"


class SimServerProbe:
    """Implements `koboshi.ports.probe.ServerProbe`."""

    def __init__(self, cloud: Database, uplink: Uplink) -> None:
        self._cloud = cloud
        self._uplink = uplink

    async def ask(self, target: Target) -> ProbeAnswer:
        """Ask once."""
        if self._uplink.works and self._answers(target):
            await anyio.sleep(ANSWER_S)
            return ProbeAnswer.USERLAND
        await anyio.sleep(TIMEOUT_S)
        return ProbeAnswer.SILENT

    def _answers(self, target: Target) -> bool:
        physics = self._cloud.physics
        wanted = {str(target), str(target).removesuffix("/")}
        return any(
            wanted & {_as_url(row.metadata.get(k, "")) for k in (HEALTH_KEY, "koboshi:ready")}
            and row.id not in physics.hanging
            and any(
                physics.hosts[h].userland and physics.hosts[h].tenant_link
                for h in physics.where(row.id)
            )
            for row in self._cloud.servers_by_id.values()
        )
