"""Several devices of one host: the first clear answer by order, and off by all that it takes."""

import anyio
import pytest

from koboshi.adapters.fencing import Chain, Feeds
from koboshi.domain.errors import FenceError
from koboshi.domain.facts.cloud import Power
from koboshi.domain.facts.device import BMC, NAMELESS, OUTLETS, Identity
from koboshi.ports.fence import FenceChain, trusted

pytestmark = pytest.mark.anyio

ON, OFF, UNKNOWN = Power.ON, Power.OFF, Power.UNKNOWN


class Device:
    """A power device as a test wants it."""

    def __init__(self, power: Power = ON, *, answers_in_s: float = 0.0) -> None:
        self.power = power
        self.deaf = False
        self.obeys = True
        self.refuses = False
        self.answers_in_s = answers_in_s
        self.asked: list[str] = []
        self.identity_told = NAMELESS

    async def _answer(self, what: str) -> None:
        self.asked.append(what)
        await anyio.sleep(self.answers_in_s)
        if self.deaf:
            raise FenceError("deaf")

    async def power_state(self) -> Power:
        """Tell it."""
        await self._answer("state")
        return self.power

    async def power_off(self) -> None:
        """Obey, or not."""
        await self._answer("off")
        if self.refuses:
            raise FenceError("refused")
        if self.obeys:
            self.power = OFF

    async def power_on(self) -> None:
        """Obey."""
        await self._answer("on")
        self.power = ON

    async def identity(self) -> Identity:
        """Tell it."""
        return self.identity_told


def chain(bmc: Device, *outlets: Device) -> Chain:
    return Chain({BMC: bmc, OUTLETS: Feeds({str(n): o for n, o in enumerate(outlets)})})


async def test_the_first_in_order_speaks_however_slow() -> None:
    one = chain(Device(ON, answers_in_s=0.3), Device(OFF))
    assert await one.power_state() is ON
    assert one.spoke == BMC
    assert isinstance(one, FenceChain)


@pytest.mark.parametrize("power", [ON, OFF])
async def test_the_next_speaks_for_one_that_gives_no_clear_answer(power: Power) -> None:
    bmc, outlet = Device(), Device(power)
    one = chain(bmc, outlet)
    bmc.deaf = True
    assert await one.power_state() is power
    assert one.spoke == OUTLETS
    bmc.deaf, bmc.power = False, UNKNOWN
    assert await one.power_state() is power
    outlet.power = UNKNOWN
    assert await one.power_state() is UNKNOWN
    bmc.deaf = outlet.deaf = True
    with pytest.raises(FenceError, match="deaf; and deaf"):
        await one.power_state()


async def test_a_device_that_was_deaf_is_not_waited_for_long() -> None:
    """A dead BMC takes its whole time-out: a proof needs readings that are younger than that."""
    bmc, outlet = Device(ON, answers_in_s=6), Device(OFF)
    one = chain(bmc, outlet)
    bmc.deaf = True
    begun = anyio.current_time()
    assert await one.power_state() is OFF
    assert anyio.current_time() - begun >= 6
    begun = anyio.current_time()
    assert await one.without(()).power_state() is OFF
    assert anyio.current_time() - begun < 3
    bmc.deaf, bmc.answers_in_s = False, 0.1
    assert await one.power_state() is ON
    assert one.spoke == BMC


@pytest.mark.parametrize(
    ("outlets", "power"),
    [
        ((OFF, OFF), OFF),
        ((OFF, ON), ON),
        ((ON, UNKNOWN), ON),
        ((OFF, UNKNOWN), UNKNOWN),
    ],
)
async def test_only_when_every_outlet_is_off_none_feeds_it(
    outlets: tuple[Power, Power], power: Power
) -> None:
    feeds = Feeds({str(n): Device(p) for n, p in enumerate(outlets)})
    assert await feeds.power_state() is power


async def test_an_outlet_that_does_not_answer_is_not_off() -> None:
    deaf = Device()
    deaf.deaf = True
    with pytest.raises(FenceError):
        await Feeds({"a": Device(OFF), "b": deaf}).power_state()
    assert await Feeds({"a": Device(ON), "b": deaf}).power_state() is ON


async def test_off_goes_to_the_first_alone_while_that_works() -> None:
    bmc, outlet = Device(), Device()
    await chain(bmc, outlet).power_off()
    assert (bmc.power, outlet.power) == (OFF, ON)


@pytest.mark.parametrize("trouble", ["deaf", "refuses"])
async def test_off_goes_on_to_the_next_when_the_first_fails(trouble: str) -> None:
    bmc, a, b = Device(), Device(), Device()
    setattr(bmc, trouble, True)
    await chain(bmc, a, b).power_off()
    assert (a.power, b.power) == (OFF, OFF)


async def test_a_second_off_goes_to_all() -> None:
    """A BMC that says that it switches, and does not."""
    bmc, outlet = Device(), Device()
    bmc.obeys = False
    one = chain(bmc, outlet)
    await one.power_off()
    assert outlet.power is ON
    await one.without(()).power_off()
    assert outlet.power is OFF


async def test_nothing_that_takes_it_is_an_error() -> None:
    bmc, outlet = Device(), Device()
    bmc.deaf = outlet.refuses = True
    for _ in range(2):
        with pytest.raises(FenceError, match="deaf; and refused"):
            await chain(bmc, outlet).power_off()


async def test_what_is_distrusted_is_neither_asked_nor_switched() -> None:
    bmc, outlet = Device(OFF), Device(ON)
    one = chain(bmc, outlet)
    believed = trusted(one, {BMC})
    assert believed is not None
    assert await believed.power_state() is ON
    await believed.power_off()
    await believed.power_off()
    assert bmc.asked == []
    assert trusted(one, {BMC, OUTLETS}) is None
    assert trusted(bmc, {BMC}) is None
    assert trusted(bmc, {OUTLETS}) is bmc


async def test_on_begins_with_what_feeds_it() -> None:
    bmc, outlet = Device(OFF), Device(OFF)
    await chain(bmc, outlet).power_on()
    assert (bmc.power, outlet.power) == (ON, ON)


async def test_the_first_that_tells_who_it_is_speaks() -> None:
    bmc = Device()
    assert await chain(bmc, Device()).identity() == NAMELESS
    bmc.identity_told = Identity(serial="1234")
    assert (await chain(bmc, Device()).identity()).serial == "1234"
