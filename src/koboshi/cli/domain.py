"""`koboshi domain ...`: hosts that can fail together, and a person's word that they did."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from koboshi.cli.answering import write_answer
from koboshi.cli.consent import severe
from koboshi.cli.context import Context
from koboshi.cli.exit_codes import ExitCode
from koboshi.cli.output import Output, UsageProblem, write_rows

if TYPE_CHECKING:
    from koboshi.api.views import DomainView


def list_domains(
    *,
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """List the declared domains, their hosts, and each one's verdict."""
    from koboshi.client import ApiClient  # noqa: PLC0415 - slow to import

    with ApiClient(context.settings().socket_path) as client:
        domains = client.domains()

    def table() -> None:
        from koboshi.cli.draw_host import draw_domains  # noqa: PLC0415 - rich is slow to import

        draw_domains(domains, context.out())

    write_rows(
        context,
        output or Output(),
        [
            {
                "domain": domain.domain,
                **host.model_dump(mode="json"),
                "is_confirmed": domain.is_confirmed,
            }
            for domain in domains
            for host in domain.hosts
        ],
        columns=("domain", "host", "verdict", "is_silent", "servers", "is_confirmed", "reasons"),
        table=table,
        nothing="No domain is declared; see [domains] in the configuration.",
    )
    return ExitCode.DONE


def confirm_domain(
    domain: str,
    /,
    *,
    confirm: str | None = None,
    output: Output | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Say that the silent hosts of a domain are dead: the brake lets go of them.

    They are then switched off together, and their servers recovered. Hosts of the domain that
    answer are left alone. Refused while none of its hosts is silent.

    Parameters
    ----------
    domain
        Its name; koboshi domain list shows them.
    confirm
        Its name once more, instead of typing it when asked.
    """
    from koboshi.client import ApiClient  # noqa: PLC0415 - slow to import

    with ApiClient(context.settings().socket_path) as client:
        found = next((d for d in client.domains() if d.domain == domain), None)
        if found is None:
            raise UsageProblem(f"no domain {domain!r} is declared; see: koboshi domain list")
        if not severe(context, domain, confirm, warning=_warning(found)):
            return ExitCode.USAGE
        answer = client.confirm_domain(domain)
    write_answer(context, output or Output(), answer)
    return ExitCode.DONE


def _warning(domain: "DomainView") -> str:
    silent = [host for host in domain.hosts if host.is_silent]
    servers = sum(host.servers or 0 for host in silent)
    lines = [
        f"  {host.host}: {host.verdict or 'not in Nova'}; {'; '.join(host.reasons)}"
        for host in domain.hosts
    ]
    return "\n".join(
        (
            f"{domain.domain} has these hosts:",
            *lines,
            f"{len(silent)} of them are silent and would be switched off, {servers} servers with them.",
            "A rack whose switch failed looks the same from here: make sure that they are really dead.",
        )
    )
