"""A daemon with a marker in every place that may hold a secret, and the cloud that it watches."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import httpx2

from koboshi.domain.names import HostName
from koboshi.rehearsal.demo import daemon as daemons
from koboshi.rehearsal.demo.daemon import Daemon
from koboshi.rehearsal.demo.directory import CLOUD, Directory
from koboshi.rehearsal.windows import DEMO
from koboshi.settings.keys import as_toml
from koboshi.sim.http import BMC_USER, Served, User, serving
from koboshi.sim.http.users import KOBOSHI_NAME
from koboshi.sim.loopback import listening
from koboshi.sim.nova import SimCloud
from koboshi.sim.physics import Host
from koboshi.sim.samples import server
from koboshi.sim.world import World

from .agents import write_agents
from .blabbing import Blabbing, Heard, prometheus, receiver
from .markers import Markers

HOSTS = tuple(HostName(f"compute{n}") for n in range(1, 7))
BY_REDFISH, BY_AGENT, REFUSED, BAD_TLS, BY_IPMI, WELL = HOSTS
LOOK_S = 0.02
PATIENCE_S = 60.0


@dataclass(slots=True, kw_only=True)
class Stage:
    """Everything that runs, and everything that was said."""

    markers: Markers
    directory: Directory
    world: World
    face: Blabbing
    daemon: Daemon
    notices: Heard
    samples: Heard
    record: Path
    """What the fence agents wrote down of themselves."""
    lines: set[str] = field(default_factory=set[str])
    """Each command line that was seen of the daemon and what it started."""

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for it; fails with the end of the daemon's log."""
        with anyio.move_on_after(PATIENCE_S):
            while not holds():
                self.daemon.assert_alive()
                await anyio.sleep(0.1)
            return
        raise AssertionError(f"{what} did not happen; the log ends:\n{self.daemon.tail()}")

    def has_logged(self, text: str) -> bool:
        """Return whether the daemon's log holds it."""
        return text in self.directory.log.read_text(errors="replace")

    async def watch_processes(self) -> None:
        """Read the command lines of the daemon and all below it, until cancelled."""
        while True:
            self.lines |= _below(self.daemon.pid)
            await anyio.sleep(LOOK_S)

    async def answers(self) -> str:
        """Return what every path of the API says that can be read."""
        transport = httpx2.AsyncHTTPTransport(uds=str(self.directory.api))
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://koboshi", timeout=10, trust_env=False
        ) as client:
            paths = list((await client.get("/openapi.json")).json()["paths"])
            incidents = [i["id"] for i in (await client.get("/v1/incidents")).json()]
            hosts = [h["host"] for h in (await client.get("/v1/hosts")).json()]
            asked = [p for p in paths if "{" not in p]
            asked += [f"/v1/incidents/{i}" for i in incidents]
            asked += [f"/v1/hosts/{h}" for h in hosts]
            return "\n".join([(await client.get(path)).text for path in asked])

    async def types(self, *words: str) -> str:
        """Return what a command prints, on both outputs."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "koboshi.cli",
            "--config",
            str(self.directory.koboshi_toml),
            *words,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **secret_environment(self.markers, self.directory)},
        )
        return (await process.communicate())[0].decode()


def secret_environment(markers: Markers, directory: Directory) -> dict[str, str]:
    """Return the environment in which the daemon finds the secrets that are not in files."""
    return {
        "MARKER_KDUMP": markers.kdump,
        "MARKER_AGENT": markers.agent,
        "CREDENTIALS_DIRECTORY": str(directory.path / "credentials"),
    }


@asynccontextmanager
async def staged(path: Path, markers: Markers) -> AsyncGenerator[Stage]:
    """Let it all run until the block ends."""
    directory = Directory(path / "koboshi")
    directory.prepare()
    agents, record = path / "agents", path / "agents.jsonl"
    agents.mkdir()
    async with anyio.create_task_group() as tasks:
        async with AsyncExitStack() as stack:
            machines = [Host(name=name, address="") for name in HOSTS]
            cloud = SimCloud(machines, heartbeat_s=2.0, down_after_s=12.0)
            world = World.around(cloud)
            doors = await stack.enter_async_context(listening(world))
            cloud.begin(tasks)
            world.agents.begin(tasks)
            for host in HOSTS:
                cloud.add(server(f"on-{host}", host))
            us = User(name=KOBOSHI_NAME, password=markers.cloud, project="ops")
            face = Blabbing(world, users=[us], bmc_password=markers.bmc)
            face.paths.add(f"Systems/{REFUSED}")
            served = await stack.enter_async_context(serving(face))
            notices = await stack.enter_async_context(receiver())
            samples = await stack.enter_async_context(prometheus())
            write_agents(
                agents, record=record, url=served.url, credentials=f"{BMC_USER}:{markers.bmc}"
            )
            write(directory, served, us)
            text = configuration(directory, served, markers, agents)
            text += f'\n[probe]\nport = {doors.port}\n\n[prometheus]\nurl = "{samples.url}"\n'
            text += f'username = "someone"\npassword = {json.dumps(markers.prometheus)}\n'
            text += f'\n[webhook]\nurl = "{notices.url}/{markers.webhook_path}"\n'
            text += f'secret = "whsec_{markers.webhook_key}"\n'
            private(directory.koboshi_toml, text)
            environ = os.environ | secret_environment(markers, directory)
            daemon = await stack.enter_async_context(daemons.running(directory, environ))
            stage = Stage(
                markers=markers,
                directory=directory,
                world=world,
                face=face,
                daemon=daemon,
                notices=notices,
                samples=samples,
                record=record,
            )
            tasks.start_soon(stage.watch_processes)
            yield stage
        tasks.cancel_scope.cancel()


def configuration(directory: Directory, served: Served, markers: Markers, agents: Path) -> str:
    """Return a configuration whose secrets come by every way that there is."""
    credentials = directory.path / "credentials"
    credentials.mkdir(mode=0o700)
    private(credentials / "wrong", markers.wrong)
    private(directory.path / "ipmi", markers.ipmi)
    pairs = zip(HOSTS[::2], HOSTS[1::2], strict=True)
    racks = (f'r{n} = ["{one}", "{other}"]\n' for n, (one, other) in enumerate(pairs, 1))
    private(directory.path / "domains.toml", "".join(racks))
    windows = "".join(f"{key} = {as_toml(value)}\n" for key, value in DEMO.items())
    redfish = f'type = "redfish"\nurl = "{served.url}"\n'
    secure = served.url.replace("http://", "https://")
    return f"""\
mode = "act"
install = "marked"
state_dir = {as_toml(directory.state)}
cloud = {{ name = "{CLOUD}", config_file = {as_toml(directory.state / "clouds.yaml")} }}
evidence = {{ services_interval = "1s" }}
log = {{ level = "debug", format = "json" }}
kdump = {{ listen = "127.0.0.1", port = 17411, secret_env = "MARKER_KDUMP" }}

[windows]
{windows}
[domains]
source = "file"
file = {as_toml(directory.path / "domains.toml")}

[fencing]
agents_dir = {as_toml(agents)}

[fencing.defaults]
username = "{BMC_USER}"
password = {json.dumps(markers.bmc)}

[fencing.hosts.{BY_REDFISH}]
{redfish}system_id = "{BY_REDFISH}"

[fencing.hosts.{BY_AGENT}]
type = "fence_blabs"
password_env = "MARKER_AGENT"
parameters = {{ ip = "192.0.2.2", plug = "{BY_AGENT}", snmp_priv_passwd = "{markers.parameter}" }}

[fencing.hosts.{REFUSED}]
{redfish}system_id = "{REFUSED}"
password_credential = "wrong"

[fencing.hosts.{BAD_TLS}]
type = "redfish"
url = "{secure}"
system_id = "{BAD_TLS}"

[fencing.hosts.{BY_IPMI}]
type = "fence_ipmilan"
password_file = "ipmi"
parameters = {{ ip = "192.0.2.5" }}

[fencing.hosts.{WELL}]
{redfish}system_id = "{WELL}"
"""


def write(directory: Directory, served: Served, us: User) -> None:
    """Write Koboshi's own clouds.yaml."""
    private(directory.state / "clouds.yaml", served.clouds_yaml(CLOUD, us))


def private(path: Path, text: str) -> None:
    """Write a file that nobody else may read."""
    path.touch(mode=0o600)
    path.write_text(text)


def _below(root: int) -> set[str]:
    """Return the command lines of a process and all its descendants."""
    parents: dict[int, int] = {}
    lines: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            lines[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        parents[int(entry.name)] = int(parent)
    ours = {root}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return {lines[pid] for pid in ours if pid in lines}
