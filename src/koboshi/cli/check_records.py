"""`koboshi check` looks for time bombs: evacuations that never ended, whoever began them."""

from koboshi.adapters.openstack import OpenStackCloud, take_records
from koboshi.cli.checks import Check, Result
from koboshi.domain.errors import CloudError
from koboshi.domain.forecasting.time_bombs import TimeBomb, time_bombs


async def check_records(cloud: OpenStackCloud) -> list[Check]:
    """Return a row for each time bomb; none where Nova cannot be read, for the survey has said so."""
    try:
        stock = await take_records(cloud)
    except CloudError:
        return []
    bombs = time_bombs(stock)
    if not bombs:
        found = "no evacuation record was left open"
        return [Check(check="time bombs", subject="", result=Result.OK, detail=found)]
    return [_row(bomb) for bomb in bombs]


def _row(bomb: TimeBomb) -> Check:
    name = f"{bomb.server_name} ({bomb.server})" if bomb.server_name else bomb.server
    return Check(
        check="time bomb",
        subject=bomb.host,
        result=Result.WARN,
        detail=f"server {name}, record {bomb.record} {bomb.status}: {bomb.what}",
        cure=bomb.cure,
    )
