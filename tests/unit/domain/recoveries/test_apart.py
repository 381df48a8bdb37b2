"""Members of a server's anti-affinity groups that no sweep has seen are read by id, and waited for a moment."""

from dataclasses import replace

from koboshi.domain.facts.world import ServerRead
from koboshi.domain.interest import interest_of
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.recoveries.apart import MOST_PARTNERS, PARTNER_PATIENCE, hosts_apart_from
from koboshi.domain.recoveries.plan import plan
from koboshi.sim.samples import server
from tests.fakes.scene import Scene, ago, candidate, destinations, room, sweep

B = ServerId("b")
PATIENCE_S = PARTNER_PATIENCE.total_seconds()


def scene(*members: str) -> Scene:
    """Return a dead host whose server is in a group; h2, the roomiest, has its other members."""
    apart = frozenset(map(ServerId, members or ("b",)))
    made = Scene(3).recovering(replace(candidate(server("a")), separate_from=apart))
    made.world = replace(made.world, sweep=None)
    return made.rooms(room("h2", ram_mb=9_000), room("h3", ram_mb=8_000))


def read(made: Scene, host: str | None) -> Scene:
    row = replace(server("b"), host=HostName(host)) if host else None
    made.world = replace(made.world, servers={B: ServerRead(at=ago(1), server=row)})
    return made


def queued_ago(made: Scene, age_s: float) -> Scene:
    """Let the server have been queued so long ago."""
    made.state = replace(
        made.state,
        recoveries={
            i: {s: replace(r, moved_at=ago(age_s)) for s, r in of.items()}
            for i, of in made.state.recoveries.items()
        },
    )
    return made


def sent(made: Scene) -> dict[str, str]:
    return destinations(plan(made.picture()).commands)


def test_it_waits_until_the_unseen_one_was_read_and_then_goes_elsewhere() -> None:
    made = queued_ago(scene(), 1)
    assert interest_of(made.picture()).partners == {B}
    assert sent(made) == {}
    assert sent(read(made, "h2")) == {"a": "h3"}
    assert interest_of(made.picture()).partners == {B}  # else what was read would be forgotten


def test_one_that_is_deleted_keeps_nobody() -> None:
    assert sent(read(queued_ago(scene(), 1), None)) == {"a": "h2"}


def test_who_cannot_be_read_is_not_waited_for_long() -> None:
    """Nova itself refuses what is wrong: a server must not be lost for the sake of a better way."""
    assert sent(queued_ago(scene(), PATIENCE_S - 1)) == {}
    assert sent(queued_ago(scene(), PATIENCE_S + 1)) == {"a": "h2"}


def test_after_a_restart_it_is_waited_for_anew() -> None:
    made = queued_ago(scene(), 600)
    made.world = replace(made.world, began_at=ago(3))
    assert sent(made) == {}


def test_what_a_sweep_has_seen_is_not_asked_for() -> None:
    made = queued_ago(scene(), 1)
    made.world = replace(made.world, sweep=sweep(replace(server("b"), host=HostName("h2"))))
    assert interest_of(made.picture()).partners == frozenset()
    assert sent(made) == {"a": "h3"}


def test_those_that_are_stranded_together_wait_for_no_word_of_each_other() -> None:
    group = frozenset({ServerId("a"), B})
    made = Scene(3).recovering(
        *(replace(candidate(server(n)), separate_from=group - {n}) for n in ("a", "b"))
    )
    made.world = replace(made.world, sweep=None)
    made = queued_ago(made.rooms(room("h2"), room("h3")), 1)
    assert interest_of(made.picture()).partners == frozenset()
    assert set(sent(made)) == {"a"}


def test_a_huge_group_is_read_in_part() -> None:
    made = scene(*(f"m{n}" for n in range(MOST_PARTNERS + 50)))
    assert len(interest_of(made.picture()).partners) == MOST_PARTNERS


def test_the_first_that_knows_a_member_tells_its_host() -> None:
    one = replace(candidate(server("a")), separate_from=frozenset({B, ServerId("c")}))
    placed, swept = {B: HostName("h3")}, {B: HostName("h2"), ServerId("c"): HostName("h4")}
    assert set(hosts_apart_from(one, placed.get, swept.get)) == {"h3", "h4"}
