"""A notice as a CloudEvents 1.0 event in JSON: what other programs' event routers read."""

import json
from datetime import UTC

from koboshi.ports.notify import Notice

CONTENT_TYPE = "application/cloudevents+json"


def cloud_event(notice: Notice, *, source: str) -> str:
    """Return the notice as one JSON text; `source` names this installation."""
    event = {
        "specversion": "1.0",
        "id": notice.id,
        "source": source,
        "type": f"koboshi.{notice.kind}",
        "time": notice.at.wall.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "subject": notice.key,
        "datacontenttype": "application/json",
        "data": {
            "kind": notice.kind,
            "key": notice.key,
            "severity": notice.severity.value,
            "summary": notice.summary,
            "host": notice.host,
            "incident": notice.incident,
        },
    }
    return json.dumps(event)
