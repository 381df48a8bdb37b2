"""The marker secrets of one daemon, in every spelling in which one of them could show."""

import base64
import json
from dataclasses import dataclass, fields
from urllib.parse import quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Markers:
    """One secret for each place that may hold one; no other text contains any of them."""

    cloud: str = 'mk"cloud&secret'
    bmc: str = "mk-bmc'redfish/secret"
    wrong: str = "mk-wrong-bmc-secret"
    agent: str = "mk-agent-secret$HOME"
    parameter: str = "mk-snmp-priv-secret"
    ipmi: str = "mk-ipmi-secret"
    prometheus: str = "mk-prometheus-secret"
    kdump: str = "mk-kdump-hmac-key-secret"
    webhook_key: str = "bWstd2ViaG9vay1rZXktbWstd2ViaG9vay1rZXk="
    webhook_path: str = "mk-webhook-path-secret"

    def spellings(self) -> dict[str, str]:
        """Return each way of writing a marker, and whose it is."""
        found: dict[str, str] = {}
        for name, value in ((f.name, str(getattr(self, f.name))) for f in fields(self)):
            ways = {value, quote(value, ""), json.dumps(value)[1:-1], repr(value)[1:-1]}
            ways |= {spelled_inside(value, offset) for offset in range(3)}
            found |= dict.fromkeys(ways, name)
        return found

    def shown_in(self, content: bytes | str) -> set[str]:
        """Return the names of those that stand in `content`."""
        text = content if isinstance(content, str) else content.decode("latin-1")
        return {name for way, name in self.spellings().items() if way in text}


def spelled_inside(value: str, offset: int) -> str:
    """Return what base64 makes of `value` wherever it stands `offset` bytes behind a multiple of three."""
    whole = base64.b64encode(b"\0" * offset + value.encode() + b"\0" * 3).decode()
    begin = (0, 2, 3)[offset]
    return whole[begin : 4 * ((offset + len(value)) // 3)]
