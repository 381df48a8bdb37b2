"""The judge of a host's way home: what is started there, and whether it might be."""

from koboshi.domain.commands import NO_INCIDENT, RebootServer, StartServer
from koboshi.sim.breach import Rule
from koboshi.sim.casebook import Casebook


def judge_start(book: Casebook, command: StartServer | RebootServer) -> None:
    """Judge a start or a HARD reboot that arrived: never of what runs, moves, or was off before."""
    row = book.world.cloud.servers_by_id.get(command.server)
    what = f"{command.server} is {'started' if isinstance(command, StartServer) else 'rebooted'}"
    runs_on = [h.name for h in book.world.physics.hosts.values() if command.server in h.domains]
    if row is not None and any(host != row.host for host in runs_on):
        book.tell(Rule.TWICE, f"{what} on {row.host}, and runs on {runs_on}")
    if isinstance(command, RebootServer) and runs_on and not command.guest_may_run:
        book.tell(Rule.HELD, f"{what} while it runs")
    if command.incident == NO_INCIDENT:
        return
    recovery = book.state.recoveries.get(command.incident, {}).get(command.server)
    if recovery is None or recovery.candidate.vm_state != "active":
        book.tell(Rule.HELD, f"{what}, and was not active before its host failed")
