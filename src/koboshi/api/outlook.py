"""The look ahead, as the API shows it."""

from koboshi.api.views import OutlookView, ShortfallView
from koboshi.domain.facts.outlook import Outlook

SERVERS_SHOWN = 50


def outlook_view(outlook: Outlook | None) -> OutlookView | None:
    """Return what the newest look ahead found; None before the first."""
    if outlook is None:
        return None
    return OutlookView(
        at=outlook.at.wall,
        hosts=outlook.hosts,
        domains=outlook.domains,
        not_counted=outlook.not_counted,
        trouble=outlook.trouble,
        short=[
            ShortfallView(
                domain=s.domain,
                hosts=list(s.hosts),
                of=s.of,
                without_room=len(s.servers),
                servers=list(s.servers[:SERVERS_SHOWN]),
                lacking=s.lacking,
            )
            for s in outlook.short
        ],
    )
