"""The whole cloud, read for a command that only looks: nothing but clouds.yaml is needed."""

from typing import TYPE_CHECKING, TypeVar

from koboshi.cli.context import Context

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from koboshi.adapters.openstack import OpenStackCloud
    from koboshi.cli.progress import Tell
    from koboshi.domain.forecasting.survival import Survival
    from koboshi.settings import Settings

T = TypeVar("T")


def read_cloud(context: Context) -> "tuple[Survival, str]":
    """Return the cloud's forecast and its name. Raises KoboshiError."""
    import anyio  # noqa: PLC0415 - only when it runs

    from koboshi.cli.progress import progress  # noqa: PLC0415 - slow to import

    settings = context.settings()
    with progress(context, "asking the cloud") as tell:
        return anyio.run(_read, context, settings, tell)


def ask_cloud(context: Context, question: "Callable[[OpenStackCloud], Awaitable[T]]") -> "T":
    """Return the answer to one more question. Raises KoboshiError."""
    import anyio  # noqa: PLC0415 - only when it runs

    async def ask() -> "T":
        async with _connected(context, context.settings()) as cloud:
            return await question(cloud)

    return anyio.run(ask)


async def _read(context: Context, settings: "Settings", tell: "Tell") -> "tuple[Survival, str]":
    from koboshi.adapters.openstack import take_stock  # noqa: PLC0415 - slow to import
    from koboshi.daemon.foresight import survey  # noqa: PLC0415 - slow to import

    async with _connected(context, settings) as cloud:
        stock = await take_stock(cloud, lambda what: tell(f"asking the cloud: {what} read"))
        label = cloud.label
    return survey(settings, stock), label


def _connected(
    context: Context, settings: "Settings"
) -> "AbstractAsyncContextManager[OpenStackCloud]":
    from koboshi.adapters.clock import SystemClock  # noqa: PLC0415 - slow to import
    from koboshi.adapters.openstack import connect  # noqa: PLC0415 - slow to import
    from koboshi.cli.quiet import keep_logs_apart  # noqa: PLC0415 - slow to import
    from koboshi.daemon import wiring  # noqa: PLC0415 - slow to import

    keep_logs_apart(context, settings)
    access, limits = wiring.cloud_access(settings), wiring.time_limits(settings)
    return connect(access, clock=SystemClock(), limits=limits)
