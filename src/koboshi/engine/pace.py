"""How often each thing is read: calm while all is well, quick while a host is in trouble."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Intervals of the observers."""

    probes: timedelta = timedelta(seconds=1)
    addresses: timedelta = timedelta(seconds=60)
    """How often names are looked up ahead."""
    samples: timedelta = timedelta(seconds=5)
    """How often Prometheus is asked: a sample is fresh for 30 s."""
    checks: timedelta = timedelta(seconds=10)
    """How often servers that want to be asked are."""
    ready: timedelta = timedelta(seconds=2)
    """How often a server that others wait for is asked whether it is ready."""
    boots: timedelta = timedelta(seconds=15)
    """How often Prometheus is asked when hosts booted: what follows from it takes longer anyway."""
    services: timedelta = timedelta(seconds=5)
    """At most, while all is well: where the API is quick, the pause is shorter (`SERVICES_REST`)."""
    services_suspect: timedelta = timedelta(seconds=2)
    """While a host is suspect, and at least at any other time."""
    decisive: timedelta = timedelta(seconds=1)
    """... at the moment at which one of them may decide about a host."""
    services_unwell: timedelta = timedelta(seconds=10)
    """While the API is unwell: the one read by which its recovery is found."""
    hypervisors: timedelta = timedelta(minutes=5)
    aggregates: timedelta = timedelta(minutes=5)
    backends: timedelta = timedelta(minutes=5)
    """Which hosts serve volumes, by Cinder's services."""
    sweep: timedelta = timedelta(seconds=60)
    sweep_soon: timedelta = timedelta(seconds=5)
    """... while servers may be stopping or starting alone."""
    actions: timedelta = timedelta(hours=2)
    """Who stopped a server is read once: a stop is remembered for an hour."""
    sweep_again: timedelta = timedelta(hours=12)
    """How long it may take until every server was listed once more."""
    stale_records: timedelta = timedelta(minutes=5)
    power: timedelta = timedelta(minutes=10)
    power_suspect: timedelta = timedelta(seconds=2)
    """From one answer to the next question: two readings are never closer than this."""
    records: timedelta = timedelta(seconds=1)
    """At most: while servers wait for a slot, and the API is quick, it is shorter (`RECORDS_REST`)."""
    records_awaited: timedelta = timedelta(seconds=0.25)
    """... but no shorter than this."""
    servers: timedelta = timedelta(seconds=1)
    listing: timedelta = timedelta(seconds=3)
    room: timedelta = timedelta(seconds=5)
    running: timedelta = timedelta(seconds=2)
    images: timedelta = timedelta(seconds=30)
    groups: timedelta = timedelta(seconds=60)
    calm: timedelta = timedelta(seconds=15)
    """Records and listings of an incident in which nothing is on its way."""
    failed: timedelta = timedelta(seconds=1)
    """The least pause after a read that failed."""


SERVICES_REST = 20
"""The pause after a read of the services, in times that it took: a twentieth of one API worker."""
RECORDS_REST = 4
"""The pause after a read of records whose end frees a slot, in times that it took: a fifth of one API worker."""
HYPERVISORS_A_MINUTE = 500
"""A page a minute, on the average: a cloud of thousands of hosts lists them less often."""
MANY_VOLUMES = 100
"""More than so many are not read one by one: the pages of the whole list are fewer questions."""
MAX_PROBES_AT_ONCE = 256
"""Sockets that one round of probes may hold open together."""
MAX_CHECKS_AT_ONCE = 64
"""Servers that are asked together."""
MAX_POWER_READS_AT_ONCE = 32
"""BMCs asked at once: they are slow, and often behind one small switch."""
MAX_PATROL_READS_AT_ONCE = 24
"""... by the calm patrol: deaf devices of living hosts must not keep a suspect one waiting."""
MAX_DIAGNOSTICS_AT_ONCE = 4
"""Diagnostics block an API worker for up to a minute where a host is down (nova 34, measured)."""
MAX_READS_AT_ONCE = 16
"""Servers read by id at once."""
