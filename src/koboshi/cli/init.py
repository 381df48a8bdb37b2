"""`koboshi init`: a configuration to begin with."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from koboshi.cli.context import Context
from koboshi.cli.exit_codes import ExitCode
from koboshi.domain.errors import ConfigurationError, KoboshiError
from koboshi.domain.facts.cloud import Hypervisor

if TYPE_CHECKING:
    from koboshi.cli.configuration import Found
    from koboshi.settings import Settings


def init(
    *,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"), show_default=False)] = None,
    force: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    offline: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Write a configuration with a comment on every key, filled in from the cloud.

    It asks the cloud that --os-cloud or the OS_* variables name for its hosts, and changes nothing.

    Parameters
    ----------
    output
        The file to write, with mode 0600; without it, standard output.
    force
        Replace a file that is there already.
    offline
        Ask no cloud.
    """
    import anyio  # noqa: PLC0415 - only when it runs

    from koboshi.cli.configuration import Found, configuration_text  # noqa: PLC0415 - slow to import
    from koboshi.cli.progress import progress  # noqa: PLC0415 - slow to import

    if output is not None and output.exists() and not force:
        raise ConfigurationError(f"{output} is there already; to replace it: --force")
    found = Found()
    if not offline:
        settings = context.settings()
        with progress(context, "asking the cloud"):
            found = anyio.run(_ask, settings, context)
    text = configuration_text(found)
    if output is None:
        context.stdout.write(text)
        return ExitCode.DONE
    _write(output, text, force=force)
    context.say(f"Wrote {output}. Next: koboshi --config {output} check")
    return ExitCode.DONE


async def _ask(settings: "Settings", context: Context) -> "Found":
    from koboshi.adapters.clock import SystemClock  # noqa: PLC0415 - slow to import
    from koboshi.adapters.openstack import connect  # noqa: PLC0415 - slow to import
    from koboshi.cli.configuration import Found  # noqa: PLC0415 - slow to import
    from koboshi.cli.quiet import keep_logs_apart  # noqa: PLC0415 - slow to import
    from koboshi.daemon import wiring  # noqa: PLC0415 - slow to import
    from koboshi.daemon.wiring import protected_hosts  # noqa: PLC0415 - slow to import

    keep_logs_apart(context, settings)
    access, limits = wiring.cloud_access(settings), wiring.time_limits(settings)
    try:
        async with connect(access, clock=SystemClock(), limits=limits) as cloud:
            await cloud.verify()
            hypervisors: dict[str, Hypervisor] = {h.host: h for h in await cloud.hypervisors()}
            servers = await cloud.servers()
    except KoboshiError as error:
        raise type(error)(f"{error}\nTo write a configuration without a cloud: --offline") from None
    values = {
        "cloud.name": settings.cloud.name or context.environ.get("OS_CLOUD"),
        "cloud.config_file": settings.cloud.config_file
        or context.environ.get("OS_CLIENT_CONFIG_FILE"),
        "cloud.region": settings.cloud.region,
        "cloud.interface": settings.cloud.interface,
    }
    return Found(
        label=cloud.label,
        values={key: value for key, value in values.items() if value is not None},
        hosts=[
            (host, hypervisors[host].address)
            for host in sorted(protected_hosts(settings, hypervisors.values()))
        ],
        servers=len(servers),
    )


def _write(path: Path, text: str, *, force: bool) -> None:
    """Write the file in one step: a half-written one is never found."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
        if force:
            temporary.replace(path)
        else:
            path.hardlink_to(temporary)  # unlike a rename, never replaces what came meanwhile
    except FileExistsError:
        raise ConfigurationError(f"{path} is there already; to replace it: --force") from None
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror}; name another file with --output",
        ) from None
    finally:
        temporary.unlink(missing_ok=True)
