"""The newest facts, in one place: observers write here, decisions read an immutable picture."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from koboshi.domain.alone.actions import is_novas_own_stop
from koboshi.domain.alone.boots import observe_boot
from koboshi.domain.alone.checks import observe_health
from koboshi.domain.alone.reboots import gaps_after, recent
from koboshi.domain.facts.cloud import (
    COMPUTE_BINARY,
    CONTROL_BINARIES,
    Aggregate,
    ComputeService,
    Hypervisor,
    Migration,
    NetworkAgent,
    ProbeAnswer,
    Sample,
)
from koboshi.domain.facts.device import BMC, Identity, is_another, mistaken
from koboshi.domain.facts.outlook import Outlook
from koboshi.domain.facts.places import Places
from koboshi.domain.facts.sweep import Sweep, without_stop
from koboshi.domain.facts.world import (
    ActionsRead,
    ApiHealth,
    MigrationsRead,
    ReadyRead,
    World,
    with_item,
)
from koboshi.domain.instant import Instant
from koboshi.domain.interest import Interest
from koboshi.domain.judging.evidence import (
    UNIDENTIFIED,
    Heartbeat,
    PowerReading,
    ProbeTrack,
    distrusting,
    observe_power,
    observe_probe,
    observe_service,
)
from koboshi.domain.judging.hearsay import (
    observe_agents,
    observe_kdump,
    observe_sample,
    without_ages,
)
from koboshi.domain.judging.identification import is_unidentified, table_of
from koboshi.domain.memory.devices import Devices, Machine
from koboshi.domain.names import MANAGEMENT, HostName, NetworkName, ServerId
from koboshi.domain.policies.readiness import Readiness
from koboshi.domain.restraint.brownout import VANISHED_AFTER

K = TypeVar("K")
V = TypeVar("V")


class Whiteboard:
    """Holds the present `World`; every method replaces it by one with a new fact."""

    def __init__(
        self,
        now: Instant,
        fenced: frozenset[HostName],
        devices: Mapping[HostName, Mapping[str, str]] | None = None,
        declared: Mapping[HostName, str] | None = None,
    ) -> None:
        self._declared = declared or {}
        self._world = World(
            began_at=now, fenced=fenced, devices=devices or {}, machines=self._declared
        )
        self._serials: dict[str, set[HostName]] = {}
        self._machines: Mapping[HostName, Machine] = {}
        self._distrusted: Mapping[tuple[HostName, str], object] = {}
        self._probed: dict[NetworkName, dict[HostName, ProbeTrack]] = {}
        """Answers of probes that the picture does not show yet: one copy takes in all of a round."""
        self._services_asked_at: Instant | None = None
        self._agents_asked_at: Instant | None = None
        self._compared: tuple[Mapping[HostName, Heartbeat], Mapping[HostName, Hypervisor], bool] = (
            {},
            {},
            True,
        )

    @property
    def world(self) -> World:
        """Return the picture with everything that was observed until now."""
        if self._probed:
            probed, self._probed = self._probed, {}
            further = dict(self._world.further)
            for name, tracks in probed.items():
                if name != MANAGEMENT:
                    further[name] = {**further.get(name, {}), **tracks}
            probes = {**self._world.probes, **probed.get(MANAGEMENT, {})}
            self._world = replace(self._world, probes=probes, further=further)
        return self._world

    @world.setter
    def world(self, world: World) -> None:
        self._world = world

    def begin_anew(self, now: Instant) -> None:
        """Discard all silence: our own loop stood still, and saw nothing in that time."""
        self.world = replace(
            self.world,
            began_at=now,
            probes={},
            further={},
            agents={h: without_ages(t) for h, t in self.world.agents.items()},
            samples={},
            health={},
            kdumps={},  # what contradicted them is forgotten, too
            identities={},  # and cables may have been moved
            services=_without_ages(self.world.services),
            control=_without_ages(self.world.control),
            from_host={},  # "no new record for 90 s" counts only what was read in that time
        )

    def see_services(self, rows: Iterable[ComputeService], at: Instant, asked_at: Instant) -> None:
        """Add one complete read of Nova's services, asked at `asked_at` and answered at `at`.

        An answer that was overtaken by that of a later question is dropped: it would turn rows back.
        A host that vanished keeps its old entry for a while: a row that is missing says nothing.
        """
        if self._services_asked_at is not None and not asked_at.is_after(self._services_asked_at):
            return
        self._services_asked_at = asked_at
        services, control = dict(self.world.services), dict(self.world.control)
        for row in rows:
            if row.binary == COMPUTE_BINARY:
                before = services.get(row.host)
                services[row.host] = observe_service(before, row, at, asked_at=asked_at)
            elif row.binary in CONTROL_BINARIES:
                name = f"{row.binary}@{row.host}"
                control[name] = observe_service(control.get(name), row, at, asked_at=asked_at)
        self.world = replace(
            self.world,
            services=_without_vanished(services, at),
            control=_without_vanished(control, at),
            gaps=gaps_after(self.world.gaps, self.world.services, services, at),
            services_read_at=at,
            api=replace(self.world.api, failing_since=None, error=""),
        )

    def miss_services(self, error: str, at: Instant) -> None:
        """Note that Nova's services could not be read."""
        since = self.world.api.failing_since or at
        api = replace(self.world.api, failing_since=since, error=error)
        self.world = replace(self.world, api=api)

    def see_health(self, health: ApiHealth) -> None:
        """Note how the API did of late."""
        if health != self._world.api.health:
            self.world = replace(self.world, api=replace(self.world.api, health=health))

    def place(self, places: Places, aggregates: tuple[Aggregate, ...] = ()) -> None:
        """Find anew which hosts belong together, by what is declared of the hosts that there are."""
        world = self.world
        zones = {host: track.service.zone for host, track in world.services.items()}
        domains = places.domains_of(zones, aggregates)
        cells = places.cells_of(
            (*world.services, *(t.service.host for t in world.control.values()))
        )
        if domains != world.domains or cells != world.cells:
            self.world = replace(world, domains=domains, cells=cells)

    def see_outlook(self, outlook: Outlook) -> None:
        """Note what a look ahead found; one that found nothing out leaves what the last one told."""
        known = self._world.outlook
        if outlook.trouble and not outlook.hosts and known is not None:
            outlook = replace(known, trouble=outlook.trouble)
        self.world = replace(self.world, outlook=outlook)

    def see_aggregates(self, rows: tuple[Aggregate, ...]) -> None:
        """Note every host aggregate."""
        self.world = replace(self.world, aggregates=rows)

    def see_hypervisors(
        self,
        rows: Iterable[Hypervisor],
        protected: frozenset[HostName],
        ours: frozenset[HostName] = frozenset(),
    ) -> None:
        """Add one complete read of the hypervisors; `ours` are hosts that carry this daemon."""
        self.world = replace(
            self.world, hypervisors={r.host: r for r in rows}, protected=protected, ours=ours
        )

    def knows_all_hypervisors(self) -> bool:
        """Return whether every host with a compute service is listed with its hypervisor."""
        services, hypervisors = self._world.services, self._world.hypervisors
        if self._compared[0] is not services or self._compared[1] is not hypervisors:
            known = services.keys() <= hypervisors.keys()
            self._compared = services, hypervisors, known
        return self._compared[2]

    def see_probe(
        self,
        host: HostName,
        answer: ProbeAnswer,
        at: Instant,
        target: str,
        network: NetworkName = MANAGEMENT,
    ) -> None:
        """Add one probe's answer; `target` says what was asked and where."""
        shown = (
            self._world.probes if network == MANAGEMENT else self._world.further.get(network, {})
        )
        probed = self._probed.setdefault(network, {})
        before = probed.get(host) or shown.get(host)
        probed[host] = observe_probe(before, answer, at, target)

    def declare_independent(self, networks: frozenset[NetworkName]) -> None:
        """Take the operator's word that these networks share no switch with the management network."""
        self.world = replace(self.world, independent=networks)

    def see_agents(self, rows: Iterable[NetworkAgent], at: Instant, asked_at: Instant) -> None:
        """Add one complete read of Neutron's agents, of hosts that have a compute service."""
        if self._agents_asked_at is not None and not asked_at.is_after(self._agents_asked_at):
            return
        self._agents_asked_at = asked_at
        listed: dict[HostName, list[NetworkAgent]] = {}
        for row in rows:
            listed.setdefault(row.host, []).append(row)
        known, services = self.world.agents, self.world.services
        agents = {h: t for h, t in known.items() if at.since(t.read_at) < VANISHED_AFTER}
        agents |= {
            host: observe_agents(known.get(host), of_host, at, asked_at=asked_at)
            for host, of_host in listed.items()
            if host in services
        }
        self.world = replace(self.world, agents=agents, agents_read_at=at)

    def see_samples(self, samples: Iterable[Sample], asked_at: Instant) -> None:
        """Add the samples of Prometheus that say that their hosts live; others say nothing."""
        known, services = self.world.samples, self.world.services
        new = {
            s.host: observe_sample(known.get(s.host), s, asked_at=asked_at)
            for s in samples
            if s.host in services
        }
        self.world = replace(self.world, samples={**known, **new})

    def see_boots(self, booted: Mapping[HostName, datetime], at: Instant) -> None:
        """Add one reading of the times at which hosts booted."""
        known, services = self.world.boots, self.world.services
        boots = {h: observe_boot(known.get(h), t, at) for h, t in booted.items() if h in services}
        new = {h: at for h, track in boots.items() if track.changed_at is at}
        self.world = replace(
            self.world,
            boots={**known, **boots},
            booted=recent(self.world.booted, new, at),
        )

    def see_kdump(self, host: HostName, at: Instant, *, authenticated: bool) -> None:
        """Add one message of a kernel that crashed."""
        if host in self.world.services:
            seen = observe_kdump(self.world.kdumps.get(host), at, authenticated=authenticated)
            self.world = replace(self.world, kdumps=with_item(self.world.kdumps, host, seen))

    def see_power(self, host: HostName, reading: PowerReading) -> None:
        """Add one reading of a host's power."""
        track = distrusting(
            observe_power(self.world.power.get(host), reading), self.distrusted_of(host)
        )
        if host in self.world.mistaken or is_unidentified(host, self.world):
            track = distrusting(track, {BMC}, UNIDENTIFIED)
        self.world = replace(self.world, power=with_item(self.world.power, host, track))

    def recall(self, devices: Devices) -> None:
        """Take what the journal remembers of power devices: whom not to believe, and who is who."""
        self.distrust(devices.quarantined)
        if devices.machines is not self._machines:
            self._machines = devices.machines
            known = {
                host: machine.serial
                for host, machine in devices.machines.items()
                if machine.table == table_of(host, self.world)
            }
            self.world = replace(self.world, machines={**known, **self._declared})

    def distrust(self, quarantined: Mapping[tuple[HostName, str], object]) -> None:
        """Take no *off* of these devices for an answer, the ones that were read already included."""
        if quarantined is self._distrusted:
            return
        new = quarantined.keys() - self._distrusted.keys()
        self._distrusted = quarantined
        for host in {host for host, _ in new} & self.world.power.keys():
            track = distrusting(self.world.power[host], self.distrusted_of(host))
            self.world = replace(self.world, power=with_item(self.world.power, host, track))

    def distrusted_of(self, host: HostName) -> frozenset[str]:
        """Return which devices of the host are not believed."""
        return frozenset(device for (h, device) in self._distrusted if h == host)

    def see_identity(self, host: HostName, identity: Identity) -> None:
        """Take what a host's device says it is; all are compared only when one of them is odd."""
        before = self.world.identities.get(host)
        if before == identity:
            return
        identities = with_item(self.world.identities, host, identity)
        self.world = replace(self.world, identities=identities)
        if before is not None and before.serial:
            self._serials[before.serial.lower()].discard(host)
        same = self._serials.setdefault(identity.serial.lower(), set())
        same.add(host)
        named = identity.host_name.partition(".")[0].lower()
        is_odd = (
            (identity.serial and len(same) > 1)
            or named not in {"", host.partition(".")[0]}
            or is_another(identity, self.world.machines.get(host, ""))
        )
        if is_odd or host in self.world.mistaken:
            known = self.world.services.keys() | self.world.fenced
            found = mistaken(identities, known, self.world.machines)
            if found != self.world.mistaken:
                self.world = replace(self.world, mistaken=found)

    def miss_identity(self, host: HostName) -> None:
        """Forget what a host's device said it is: it was asked again, and did not tell."""
        rest = {h: told for h, told in self.world.identities.items() if h != host}
        self.world = replace(self.world, identities=rest)

    def see_sweep(self, sweep: Sweep) -> None:
        """Take a newer sweep."""
        self.world = replace(self.world, sweep=sweep)

    def see_checks(self, answers: Mapping[ServerId, ProbeAnswer], at: Instant) -> None:
        """Add one round of answers of the servers that want to be asked; others are forgotten."""
        known = self.world.health
        health = {s: observe_health(known.get(s), answer, at) for s, answer in answers.items()}
        if health or known:
            self.world = replace(self.world, health=health)

    def see_ready(self, asked: Readiness, answer: ProbeAnswer, at: Instant) -> None:
        """Add one answer of a server that others wait for; `at` is when it was asked."""
        read = ReadyRead(at=at, answer=answer)
        self.world = replace(self.world, ready=with_item(self.world.ready, asked, read))

    def see_actions(self, server: ServerId, read: ActionsRead) -> None:
        """Add what was asked of a server that stopped; a stop that somebody wanted is forgotten."""
        world = self.world
        if is_novas_own_stop(read.actions):
            self.world = replace(world, actions=with_item(world.actions, server, read))
        elif world.sweep is not None:
            self.world = replace(world, sweep=without_stop(world.sweep, server))

    def see_records(self, host: HostName, records: tuple[Migration, ...], at: Instant) -> None:
        """Add one complete read of the evacuation records with this source."""
        before = self.world.from_host.get(host)
        read = MigrationsRead(
            at=at,
            records=records,
            unbroken_since=before.unbroken_since if before else at,
            count=before.count + 1 if before else 1,
        )
        self.world = replace(self.world, from_host=with_item(self.world.from_host, host, read))

    def miss_records(self, host: HostName) -> None:
        """Forget the records of a host: reading them failed, so nothing is known of them now."""
        rest = {h: r for h, r in self.world.from_host.items() if h != host}
        self.world = replace(self.world, from_host=rest)

    def forget_all_but(self, interest: Interest) -> None:
        """Drop what was read for incidents that are over: it would be taken for new later."""
        world = self.world
        self.world = replace(
            world,
            from_host=_kept(world.from_host, interest.list_records),
            on_host=_kept(world.on_host, interest.list_servers),
            servers=_kept(world.servers, interest.servers | interest.partners),
            actions=_kept(world.actions, interest.actions),
            running=_kept(world.running, interest.running),
            of_project=_kept(world.of_project, interest.projects),
            ready=_kept(world.ready, interest.ready),
            room=_kept(world.room, interest.demands),
            images=_kept(world.images, interest.images),
            volumes=_kept(world.volumes, interest.volumes),
            groups=world.groups if interest.groups else None,
        )


def _kept(read: Mapping[K, V], wanted: frozenset[K]) -> Mapping[K, V]:
    return read if read.keys() <= wanted else {k: v for k, v in read.items() if k in wanted}


def _without_vanished(tracks: Mapping[K, Heartbeat], now: Instant) -> dict[K, Heartbeat]:
    return {k: t for k, t in tracks.items() if now.since(t.read_at) < VANISHED_AFTER}


def _without_ages(tracks: Mapping[K, Heartbeat]) -> dict[K, Heartbeat]:
    return {
        k: Heartbeat(service=t.service, asked_at=t.asked_at, read_at=t.read_at)
        for k, t in tracks.items()
    }
