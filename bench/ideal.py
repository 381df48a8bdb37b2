"""The ideal client: what a recovery costs when nothing has to be watched, judged or proven.

It is told which hosts are dead. It forces each service down with one PUT, sends all evacuates at once,
and watches the migration records once a second. It is what Koboshi is measured against, so it
shares no code with it. Unsafe on purpose: never use it on a cloud that you care about.

    python3 -m lab exec .venv/bin/python bench/ideal.py HOST...

prints one line of JSON: how many servers it moved, and its own idea of when.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import yaml

TERMINAL = frozenset({"done", "completed", "error", "failed"})
GIVE_UP_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """Where the cloud is, and who we are there."""

    auth_url: str
    username: str
    password: str
    project: str


def read_cloud(name: str) -> Cloud:
    """Read the cloud's entry of the clouds.yaml that the environment names."""
    path = Path(os.environ["OS_CLIENT_CONFIG_FILE"])
    auth = yaml.safe_load(path.read_text())["clouds"][name]["auth"]
    return Cloud(
        auth_url=auth["auth_url"],
        username=auth["username"],
        password=auth["password"],
        project=auth["project_name"],
    )


async def log_in(client: httpx2.AsyncClient, cloud: Cloud) -> str:
    """Fetch a token, keep it in the client, and return Nova's endpoint."""
    domain = {"name": "Default"}
    user = {"name": cloud.username, "password": cloud.password, "domain": domain}
    body = {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": cloud.project, "domain": domain}},
        }
    }
    answer = await client.post(f"{cloud.auth_url}/auth/tokens", json=body)
    answer.raise_for_status()
    client.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]
    client.headers["OpenStack-API-Version"] = "compute 2.68"
    catalog = answer.json()["token"]["catalog"]
    compute = next(service for service in catalog if service["type"] == "compute")
    return next(e["url"] for e in compute["endpoints"] if e["interface"] == "public")


async def recover(client: httpx2.AsyncClient, nova: str, hosts: Sequence[str]) -> dict[str, Any]:
    """Force the hosts down, evacuate all of their servers at once, and wait for the records."""
    servers: list[str] = []
    for host in hosts:
        servers += await force_down(client, nova, host)

    async def evacuate(server: str) -> None:
        url = f"{nova}/servers/{server}/action"
        (await client.post(url, json={"evacuate": {}})).raise_for_status()

    first = time.time()
    async with anyio.create_task_group() as tasks:
        for server in servers:
            tasks.start_soon(evacuate, server)
    with anyio.fail_after(GIVE_UP_S):
        statuses = await watch(client, nova, hosts, set(servers))
    return {"servers": len(servers), "first": first, "last": time.time(), "statuses": statuses}


async def force_down(client: httpx2.AsyncClient, nova: str, host: str) -> list[str]:
    """Force one host down; return its servers."""
    found = await client.get(f"{nova}/os-services?host={host}&binary=nova-compute")
    service = found.json()["services"][0]["id"]
    listed = await client.get(f"{nova}/servers/detail?all_tenants=1&host={host}")
    down = {"status": "disabled", "disabled_reason": "ideal", "forced_down": True}
    (await client.put(f"{nova}/os-services/{service}", json=down)).raise_for_status()
    return [server["id"] for server in listed.json()["servers"]]


async def watch(
    client: httpx2.AsyncClient, nova: str, hosts: Sequence[str], servers: set[str]
) -> dict[str, str]:
    """Return each server's record once all of them are terminal."""
    newest: dict[str, str] = {}
    while True:
        for host in hosts:
            query = f"source_compute={host}&migration_type=evacuation"
            rows = (await client.get(f"{nova}/os-migrations?{query}")).json()["migrations"]
            newest |= {row["instance_uuid"]: row["status"] for row in reversed(rows)}
        if servers <= set(newest) and all(newest[server] in TERMINAL for server in servers):
            return {server: newest[server] for server in servers}
        await anyio.sleep(1)


async def main(hosts: Sequence[str]) -> int:
    """Recover the hosts and print what came of it."""
    limits = httpx2.Limits(max_connections=64)
    async with httpx2.AsyncClient(timeout=120, limits=limits, trust_env=False) as client:
        nova = await log_in(client, read_cloud("lab"))
        outcome = await recover(client, nova, hosts)
    print(json.dumps(outcome))
    return 0 if set(outcome["statuses"].values()) <= {"done", "completed"} else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("hosts", nargs="+", help="the compute hosts that are dead")
    sys.exit(anyio.run(main, parser.parse_args().hosts))
