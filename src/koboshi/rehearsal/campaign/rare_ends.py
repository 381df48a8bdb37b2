"""What leads to the rarer ends of incidents and servers, where chance alone seldom does.

Drawn with dice of its own, thrown from the seed alone. Such a story is told instead of most of what else
was drawn for the seed: what would also befall it mostly keeps it from its end. All other seeds mean
what they did.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.domain.rules import Mode
from koboshi.rehearsal.campaign.dice import chance
from koboshi.rehearsal.campaign.subjects import VICTIM, Subjects
from koboshi.rehearsal.script import Befalling, Happening, Script
from koboshi.rehearsal.settings import StoryHome, StorySettings
from koboshi.rehearsal.spec import CloudSpec, RecordSpec
from koboshi.rehearsal.troubles import Trouble, TroubleKind
from koboshi.sim.bmc import Bmc
from koboshi.sim.faults import Fault, FaultKind
from koboshi.sim.line import Fails

RARE_PERCENT = 15
OTHERS = (0, 0, 1, 2)
"""So many of what else was drawn befalls it, too."""
ALL_TRIES_S = 150.0
"""So long until a server that fails everywhere has no try left."""
AWAY_S = 80.0
"""Until Nova itself takes a silent host for down, with the slowest heartbeats that are drawn."""
MANY_MB = 500_000
CALM_AFTER_S = 40.0


@dataclass(slots=True, kw_only=True)
class Draft:
    """A story in the making."""

    random: Random
    of: Subjects
    at_s: float
    cloud: CloudSpec
    settings: StorySettings
    happens: list[Happening]

    def fault(self, kind: FaultKind, after_s: float = 0.0, *, when: str = "", **said: Any) -> None:
        """Let a fault befall at a moment of the story, or so long after a line of its log."""
        self.add(Fault(kind=kind, **said), after_s, when=when)

    def add(self, what: Befalling, after_s: float = 0.0, *, when: str = "") -> None:
        """Let something befall then."""
        at_s = after_s if when else self.at_s + after_s
        self.happens.append(Happening(what=what, at_s=at_s, when=when))

    @property
    def server(self) -> str:
        """Return one of the victim's servers."""
        return self.random.choice(self.of.of_victim or self.of.servers)

    def comes_home(self) -> None:
        """Let Koboshi switch hosts on again."""
        self.settings = self.settings.model_copy(
            update={"home": StoryHome(automatic=True, power_on=True)}
        )


def _no_try_left(draft: Draft) -> None:
    for host in draft.of.others:
        draft.fault(FaultKind.SPAWNS_FAIL, -2.0, host=host, for_s=ALL_TRIES_S)
    draft.fault(FaultKind.POWER_LOSS, host=VICTIM)


def _too_big(draft: Draft) -> None:
    """Let one be larger than any host."""
    name = draft.server
    big = draft.cloud.server[name].model_copy(update={"ram_mb": MANY_MB})
    draft.cloud = draft.cloud.model_copy(update={"server": {**draft.cloud.server, name: big}})
    draft.fault(FaultKind.POWER_LOSS, host=VICTIM)


def _there_already(draft: Draft) -> None:
    server = draft.server
    for host in draft.of.others:
        text = f"Instance {server} already exists."
        draft.fault(FaultKind.SPAWNS_FAIL, -2.0, host=host, text=text, for_s=ALL_TRIES_S)
    draft.fault(FaultKind.POWER_LOSS, host=VICTIM)


def _sent_twice_by_a_person(draft: Draft) -> None:
    server = draft.server
    draft.fault(FaultKind.SPAWNS_SLOW, -2.0, by_s=20.0, for_s=90.0)
    draft.fault(FaultKind.POWER_LOSS, host=VICTIM)
    to = draft.random.choice((None, *draft.of.others))
    begun = f"evacuation {server} begun by koboshi"
    draft.fault(FaultKind.OPERATOR_EVACUATES, 3.0, when=begun, server=server, to=to)


def _a_person_is_first(draft: Draft) -> None:
    """Let an operator evacuate one before Koboshi has seen the death."""
    to = draft.random.choice(draft.of.others)
    draft.fault(FaultKind.SPAWNS_HANG, -4.0, host=to, for_s=AWAY_S + 90.0)
    draft.add(Trouble(kind=TroubleKind.STOPPED, for_s=AWAY_S), -1.0)
    draft.fault(FaultKind.POWER_LOSS, host=VICTIM)
    draft.fault(FaultKind.OPERATOR_EVACUATES, AWAY_S - 4.0, server=draft.server, to=to)


def _a_person_takes_one(draft: Draft) -> None:
    """Let an operator evacuate one as soon as Nova takes it, and hide by a reset that it never ends."""
    server, to = draft.server, draft.random.choice(draft.of.others)
    draft.fault(FaultKind.SPAWNS_HANG, -2.0, host=to, for_s=120.0)
    draft.fault(FaultKind.POWER_LOSS, host=VICTIM)
    isolated = f"isolated {VICTIM}"
    draft.fault(FaultKind.OPERATOR_EVACUATES, when=isolated, server=server, to=to)
    begun = f"evacuation {server} begun by others"
    draft.fault(FaultKind.OPERATOR_RESETS, 1.0, when=begun, server=server, state="active")


def _hangs_for_long(draft: Draft) -> None:
    pace = draft.settings.pace.model_copy(update={"stuck_after": timedelta(minutes=1)})
    draft.settings = draft.settings.model_copy(update={"pace": pace})
    for_s = draft.random.choice((100.0, 400.0))
    for host in draft.of.others:
        draft.fault(FaultKind.SPAWNS_HANG, -2.0, host=host, for_s=for_s)
    draft.fault(FaultKind.POWER_LOSS, host=VICTIM)


def _its_bmc_goes_with_it(draft: Draft) -> None:
    for_s = draft.random.choice((60.0, 150.0, 400.0))
    draft.fault(FaultKind.BMC, host=VICTIM, bmc=Bmc.GONE, for_s=for_s)
    draft.fault(FaultKind.POWER_LOSS, host=VICTIM)


def _a_bomb_waits(draft: Draft) -> None:
    """Let a stale record of one of its servers lie there when the host could come home."""
    record = RecordSpec(
        server=draft.server,
        source=VICTIM,
        destination=draft.random.choice(draft.of.others),
        status=draft.random.choice(("accepted", "pre-migrating")),
        age=timedelta(days=60),
    )
    draft.cloud = draft.cloud.model_copy(update={"record": {"bomb": record}})
    draft.comes_home()
    draft.fault(FaultKind.CUT, host=VICTIM, for_s=CALM_AFTER_S)


def _dies_again_and_again(draft: Draft) -> None:
    draft.comes_home()
    windows = draft.settings.windows.model_copy(update={"incident_memory": timedelta(seconds=40)})
    draft.settings = draft.settings.model_copy(update={"windows": windows})
    draft.fault(FaultKind.CUT, host=VICTIM, for_s=CALM_AFTER_S)
    home = f"incident {VICTIM} closed"
    draft.fault(FaultKind.POWER_LOSS, 5.0, when=home, host=VICTIM, for_s=CALM_AFTER_S)


def _comes_back_meanwhile(draft: Draft) -> None:
    draft.fault(FaultKind.SPAWNS_SLOW, -2.0, by_s=30.0, for_s=120.0)
    draft.fault(FaultKind.POWER_LOSS, host=VICTIM)
    begun = f"evacuation {draft.server} begun by koboshi"
    after_s = draft.random.choice((0.5, 5.0, 15.0))
    draft.fault(FaultKind.START, after_s, when=begun, host=VICTIM)


def _two_at_once(draft: Draft) -> None:
    draft.fault(FaultKind.POWER_LOSS, host=VICTIM)
    other = draft.random.choice(draft.of.others)
    draft.fault(FaultKind.POWER_LOSS, draft.random.choice((0.0, 3.0)), host=other)


def _nova_says_no(draft: Draft) -> None:
    draft.fault(FaultKind.POWER_LOSS, host=VICTIM)
    draft.fault(
        FaultKind.API_FAILS,
        when=f"incident {VICTIM} isolating",
        call="evacuate",
        how=Fails.REFUSED,
        status=draft.random.choice((403, 409)),
        times=draft.random.choice((1, 2, 5)),
        for_s=60.0,
    )


def _deleted_on_its_way(draft: Draft) -> None:
    server = draft.server
    draft.fault(FaultKind.SPAWNS_SLOW, -2.0, by_s=10.0, for_s=60.0)
    draft.fault(FaultKind.POWER_LOSS, host=VICTIM)
    cue = draft.random.choice(
        (f"listed {VICTIM}", f"command evacuate {server}", f"evacuation {server} begun")
    )
    draft.fault(FaultKind.USER_DELETES, when=cue, server=server)


Story = Callable[[Draft], None]
_I = IncidentState
_R = RecoveryState
STORIES: Mapping[Story, IncidentState | RecoveryState] = {
    _no_try_left: _R.GIVEN_UP,
    _too_big: _R.GIVEN_UP,
    _there_already: _R.ORPHAN_SUSPECTED,
    _sent_twice_by_a_person: _R.ORPHAN_SUSPECTED,
    _a_person_is_first: _I.FOREIGN,
    _a_person_takes_one: _R.FOREIGN,
    _hangs_for_long: _R.STUCK,
    _its_bmc_goes_with_it: _I.UNPROVEN,
    _a_bomb_waits: _I.NEEDS_HUMAN,
    _dies_again_and_again: _I.QUARANTINED,
    _comes_back_meanwhile: _I.SOURCE_BACK,
    _two_at_once: _I.HELD,
    _nova_says_no: _R.REFUSED,
    _deleted_on_its_way: _R.GONE,
}
"""Each story, and the state that it leads to where nothing else comes between."""


def draw_rare_end(
    random: Random, cloud: CloudSpec, script: Script, settings: StorySettings
) -> tuple[CloudSpec, Script, StorySettings]:
    """Return the story of a rare end, or the one that was drawn."""
    if not chance(random, RARE_PERCENT):
        return cloud, script, settings
    story = random.choice(tuple(STORIES))
    *others, _calm = script.happens
    kept = random.sample(others, min(len(others), random.choice(OTHERS)))
    return tell(story, random, cloud, kept, settings)


def tell(
    story: Story,
    random: Random,
    cloud: CloudSpec,
    others: Sequence[Happening],
    settings: StorySettings,
) -> tuple[CloudSpec, Script, StorySettings]:
    """Return a story told of a cloud; `others` befall it, too."""
    draft = Draft(
        random=random,
        of=Subjects.of(cloud),
        at_s=15.0 + 3.0 * cloud.heartbeat.total_seconds() + 5.0,
        cloud=cloud,
        settings=settings.model_copy(update={"mode": Mode.ACT}),
        happens=[],
    )
    story(draft)
    happens = [*draft.happens, *others]
    calm_s = max(h.at_s + _lasts_s(h) for h in happens if not h.when) + CALM_AFTER_S
    happens.append(Happening(what=Fault(kind=FaultKind.CALM), at_s=calm_s))
    script = Script(happens=tuple(happens), lasts_s=calm_s + 3600.0)
    return draft.cloud, script, draft.settings


def _lasts_s(happening: Happening) -> float:
    what = happening.what
    return (what.for_s or 0.0) if isinstance(what, Fault) else 0.0
