"""The demo's directory: what lies in it, who may use it, and how it is cleared away."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from koboshi.domain.errors import KoboshiError
from koboshi.domain.names import HostName
from koboshi.rehearsal.demo.cloud import HEARTBEAT_S
from koboshi.rehearsal.windows import DEMO
from koboshi.settings.keys import as_toml
from koboshi.sim.http import BMC_USER, KOBOSHI, PASSWORD, Served

CLOUD = "koboshi-demo"
SERVICES_INTERVAL = timedelta(seconds=HEARTBEAT_S)
"""The least that may be set; half of a heartbeat would be less."""
MARK = ".koboshi-demo"
"""Says that the files beside it are ours, and may be replaced and removed."""
FILES = ("clouds.yaml", "koboshi.toml", "demo.sock", "state")


def default_directory(environ: Mapping[str, str]) -> Path:
    """Return where the demo is kept when no directory is named."""
    runtime = environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK):
        return Path(runtime) / "koboshi-demo"
    return Path(tempfile.gettempdir()) / f"koboshi-demo-{os.geteuid()}"


@dataclass(frozen=True, slots=True)
class Directory:
    """One demo's files."""

    path: Path

    @property
    def clouds_yaml(self) -> Path:
        """Return what `openstack` reads; written last, when all is ready."""
        return self.path / "clouds.yaml"

    @property
    def koboshi_toml(self) -> Path:
        """Return Koboshi's configuration."""
        return self.path / "koboshi.toml"

    @property
    def control(self) -> Path:
        """Return the socket by which the cloud is told of faults."""
        return self.path / "demo.sock"

    @property
    def state(self) -> Path:
        """Return Koboshi's state_dir; its log lies there as well."""
        return self.path / "state"

    @property
    def log(self) -> Path:
        """Return the daemon's log."""
        return self.state / "koboshi.log"

    @property
    def journal(self) -> Path:
        """Return the daemon's journal."""
        return self.state / "journal.db"

    @property
    def api(self) -> Path:
        """Return the daemon's socket."""
        return self.state / "koboshi.sock"

    def prepare(self) -> bool:
        """Make it empty of what an earlier demo left; return whether it was made anew.

        Raises KoboshiError when files of somebody else are in the way.
        """
        try:
            made = not self.path.exists()
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.path.stat().st_uid != os.geteuid():
                raise KoboshiError(f"{self.path} belongs to somebody else; name another directory")
            there = [name for name in FILES if (self.path / name).exists()]
            if there and not (self.path / MARK).exists():
                raise KoboshiError(
                    f"{self.path / there[0]} is there, and is not the demo's; name another directory"
                )
            self._remove_files()
            (self.path / MARK).touch(mode=0o600)
            self.state.mkdir(mode=0o700)
        except OSError as error:
            raise KoboshiError(
                f"{self.path} cannot be used ({error.strerror}); name another with --directory"
            ) from error
        return made

    def clear(self, *, remove: bool) -> None:
        """Remove the demo's files; the directory itself too if it was made for them and is empty."""
        with suppress(OSError):
            self._remove_files()
            (self.path / MARK).unlink(missing_ok=True)
            if remove:
                self.path.rmdir()

    def _remove_files(self) -> None:
        for name in FILES:
            path = self.path / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def write_configuration(
        self, served: Served, *, probe_port: int, hosts: list[HostName]
    ) -> None:
        """Write Koboshi's configuration, and the credentials of its own user."""
        own_clouds = self.state / "clouds.yaml"
        _write(own_clouds, served.clouds_yaml(CLOUD, KOBOSHI))
        text = f"""\
# Koboshi's configuration in this demo, written by `koboshi demo`.
mode = "act"
install = "demo"
state_dir = {as_toml(self.state)}

[cloud]
name = "{CLOUD}"
config_file = {as_toml(own_clouds)}

# Each simulated host answers on an address of its own, which Nova tells, at this port.
[probe]
port = {probe_port}

# This cloud's heartbeats are faster than Nova's default. It is the least that may be set.
[evidence]
services_interval = {as_toml(SERVICES_INTERVAL)}
services_interval_suspect = {as_toml(SERVICES_INTERVAL)}

# Shortened, so that nobody waits ten minutes before the first failure counts. Proofs, their order
# and the reading back of what was done are never shortened.
[windows]
"""
        text += "".join(f"{key} = {as_toml(value)}\n" for key, value in DEMO.items())
        text += f'\n[log]\nformat = "json"\n\n[fencing.defaults]\nusername = "{BMC_USER}"\n'
        text += f'password = "{PASSWORD}"\n'
        for host in hosts:
            text += f"\n[fencing.hosts.{host}]\n"
            text += f'type = "redfish"\nurl = "{served.url}"\nsystem_id = "{host}"\n'
        _write(self.koboshi_toml, text)

    def write_clouds(self, served: Served) -> None:
        """Write what `openstack` reads, whole in one moment."""
        new = self.state / "clouds.new"
        _write(new, served.clouds_yaml(CLOUD))
        new.replace(self.clouds_yaml)


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
