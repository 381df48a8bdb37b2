"""`koboshi host ...`: what is known of one host, and what a person may say of it."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from koboshi.cli.answering import write_answer
from koboshi.cli.consent import severe
from koboshi.cli.context import Context
from koboshi.cli.exit_codes import ExitCode
from koboshi.cli.output import Output, write_item, write_rows

if TYPE_CHECKING:
    from koboshi.api.views import FenceTestView, HostDetail
    from koboshi.client import ApiClient

TEST_S = 180
"""How long the result of a fence test is waited for: off, three readings, on, and a slow BMC."""
TEST_POLL_S = 2


def confirm_dead(
    host: str,
    /,
    *,
    confirm: str | None = None,
    note: Annotated[str, Parameter(name=("--note", "-m"))] = "",
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Say that a host is dead: its servers are then recovered on your word.

    For a host whose death no power device can prove, or that was disabled when it died (it is then
    left disabled when it comes home). Refused while any witness of the host answers or its power reads
    on; void as soon as one answers again.

    Of a host that is down inside (it rebooted and answers, and its nova-compute has not come for ten
    minutes) it is no proof: the host is switched off, as a silent one would be, and its servers are
    recovered when its power reads off.

    Parameters
    ----------
    host
        The host, as Nova spells it.
    confirm
        Its name once more, instead of typing it when asked.
    note
        How you know; stands in the journal beside your name.
    """
    warning = (
        f"If {host} still runs, its servers will run twice, and their data will be destroyed.\n"
        f"Make sure that it is off: look at the machine, or at its power cable. Silence is not enough:\n"
        f"a network that failed looks the same from here."
    )
    from koboshi.client import ApiClient  # noqa: PLC0415 - slow to import

    with ApiClient(context.settings().socket_path) as client:
        known = client.host(host)  # of one that is not there nobody is asked in vain
        if known.host.verdict == "down_inside":
            warning = f"{host} will be switched off, and whatever runs on it with it: guests, too."
        if not severe(context, host, confirm, warning=warning):
            return ExitCode.USAGE
        answer = client.confirm_dead(host, note=note)
    write_answer(context, output or Output(), answer)
    return ExitCode.DONE


def try_fence(
    host: str,
    /,
    *,
    confirm: str | None = None,
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Switch an empty, disabled host off and on again, to see that its power device works.

    Refused while the host has servers, or is not disabled in Nova.

    Parameters
    ----------
    host
        The host, as Nova spells it.
    confirm
        Its name once more, instead of typing it when asked.
    """
    warning = f"{host} will really be switched off, and on again when its power has read off."
    from koboshi.client import ApiClient  # noqa: PLC0415 - slow to import

    with ApiClient(context.settings().socket_path) as client:
        before = client.host(host).fence_test  # of one that is not there nobody is asked in vain
        if not severe(context, host, confirm, warning=warning):
            return ExitCode.USAGE
        answer = client.test_fence(host)
        context.say(f"{'; '.join(answer.said)}. Ctrl-C stops watching, not the test.")
        try:
            test = _await_test(context, client, host, before)
        except KeyboardInterrupt:
            return ExitCode.INTERRUPTED
    if test is None:
        context.say(f"No result within {TEST_S} s; look again with: koboshi host explain {host}")
        return ExitCode.TIMED_OUT

    def table() -> None:
        result = "works" if test.ok else "FAILS"
        context.stdout.write(f"the fence of {host} {result}: {test.detail}\n")

    write_item(context, output or Output(), test.model_dump(mode="json"), table=table)
    return ExitCode.DONE if test.ok else ExitCode.ERROR


def release(
    host: str,
    /,
    *,
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Let a quarantined host serve again: it is enabled in Nova.

    A host that fails twice within a day comes home, and stays disabled until you are sure of it.

    Parameters
    ----------
    host
        The host, as Nova spells it.
    """
    from koboshi.client import ApiClient  # noqa: PLC0415 - slow to import

    with ApiClient(context.settings().socket_path) as client:
        answer = client.release(host)
    write_answer(context, output or Output(), answer)
    return ExitCode.DONE


def _await_test(
    context: Context, client: "ApiClient", host: str, before: "FenceTestView | None"
) -> "FenceTestView | None":
    """Return the result that is newer than `before`; None when it takes too long."""
    from koboshi.cli.progress import progress  # noqa: PLC0415 - slow to import

    with progress(context, f"switching {host} off and on") as tell:
        for waited in range(0, TEST_S, TEST_POLL_S):
            test = client.host(host).fence_test
            if test is not None and (before is None or test.at > before.at):
                return test
            tell(f"switching {host} off and on: {waited} s")
            time.sleep(TEST_POLL_S)
    return None


def list_hosts(
    *,
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """List all compute hosts with their verdicts."""
    from koboshi.api.views import HostView  # noqa: PLC0415 - slow to import
    from koboshi.client import ApiClient  # noqa: PLC0415 - slow to import

    with ApiClient(context.settings().socket_path) as client:
        hosts = client.hosts()

    def table() -> None:
        from koboshi.cli.draw_status import hosts_table  # noqa: PLC0415 - rich is slow to import

        context.out().print(hosts_table(hosts))

    write_rows(
        context,
        output or Output(),
        [view.model_dump(mode="json") for view in hosts],
        columns=tuple(HostView.model_fields),
        table=table,
        nothing="No compute host is known yet.",
    )
    return ExitCode.DONE


def explain_host(
    host: str,
    /,
    *,
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Explain one host: each witness and its age, the rule that made the verdict, what would change it.

    Parameters
    ----------
    host
        The host, as Nova spells it.
    """
    from koboshi.client import ApiClient  # noqa: PLC0415 - slow to import

    with ApiClient(context.settings().socket_path) as client:
        detail = client.host(host)

    def table() -> None:
        from koboshi.cli.draw_host import draw_host  # noqa: PLC0415 - rich is slow to import

        draw_host(detail, context.out(), datetime.now(UTC))

    write_item(context, output or Output(), _flat(detail), table=table)
    return ExitCode.DONE


def _flat(detail: "HostDetail") -> dict[str, object]:
    """Return the host with its brief's fields beside the rest, so that `-c verdict` works."""
    data = detail.model_dump(mode="json")
    brief = data.pop("host")
    brief["incident_id"] = brief.pop("incident")
    return {**brief, **data}
