"""Empty databases to migrated ones: the slow part of a first `make lab`."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from lab import configure, network, processes
from lab.errors import LabError
from lab.layout import CONTROL_IP, REGION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.layout import Layout


def install(lab: Layout) -> None:
    """Make MariaDB's own tables."""
    command = ["mariadb-install-db", "--no-defaults", f"--datadir={lab.run}/mysql", "--user=root"]
    command += ["--auth-root-authentication-method=normal", "--skip-test-db"]
    _run(lab, command, log="mysql-install")


def create(lab: Layout) -> None:
    """Make and migrate the databases of all services, keystone's first users and the keys."""
    sql = "".join(f"create database {name} character set utf8mb3;" for name in configure.DATABASES)
    _run(lab, ["mariadb", "--no-defaults", "-h127.0.0.1", "-uroot", "-e", sql], log="mysql-create")
    for name in ("fernet", "credential"):
        (lab.run / "keys" / name).mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        for half in [pool.submit(_first_half, lab), pool.submit(_second_half, lab)]:
            half.result()


def _first_half(lab: Layout) -> None:
    keystone = [lab.venv / "bin" / "keystone-manage", "--config-file", lab.etc / "keystone.conf"]
    owner = ["--keystone-user", "root", "--keystone-group", "root"]
    _run(lab, [*keystone, "db_sync"], log="dbsync-1")
    _run(lab, [*keystone, "fernet_setup", *owner], log="dbsync-1")
    _run(lab, [*keystone, "credential_setup", *owner], log="dbsync-1")
    bootstrap = [*keystone, "bootstrap", "--bootstrap-region-id", REGION]
    for interface in ("admin", "internal", "public"):
        bootstrap += [f"--bootstrap-{interface}-url", f"http://{CONTROL_IP}:5000/v3"]
    secret = {"OS_BOOTSTRAP_PASSWORD": configure.admin_password(lab)}
    _run(lab, bootstrap, log="dbsync-1", env=secret)
    for program, file, words in (
        ("placement-manage", "placement.conf", ["db", "sync"]),
        ("glance-manage", "glance-api.conf", ["db_sync"]),
        ("cinder-manage", "cinder.conf", ["db", "sync"]),
    ):
        command = [lab.venv / "bin" / program, "--config-file", lab.etc / file, *words]
        _run(lab, command, log="dbsync-1")


def _second_half(lab: Layout) -> None:
    nova = [lab.venv / "bin" / "nova-manage", "--config-file", lab.etc / "nova.conf"]
    nova += ["--config-file", lab.etc / "nova-control.conf"]
    _run(lab, [*nova, "api_db", "sync"], log="dbsync-2")
    cell0 = configure.database_url("nova_cell0")
    _run(
        lab,
        [*nova, "cell_v2", "map_cell0", "--database_connection", cell0],
        log="dbsync-2",
    )
    _run(lab, [*nova, "db", "sync"], log="dbsync-2")
    _run(lab, [*nova, "cell_v2", "create_cell", "--name", "cell1"], log="dbsync-2")
    neutron = [lab.venv / "bin" / "neutron-db-manage", "--config-file", lab.etc / "neutron.conf"]
    neutron += ["--config-file", lab.etc / "ml2_conf.ini"]
    _run(lab, [*neutron, "upgrade", "heads"], log="dbsync-2")


def _run(
    lab: Layout, command: Sequence[object], *, log: str, env: dict[str, str] | None = None
) -> None:
    path = lab.log / f"{log}.out"
    with network.inside(lab.control_ns), path.open("ab") as out:
        done = subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**processes.base_environment(lab), **(env or {})},
            check=False,
            timeout=900,
        )
    if done.returncode:
        raise LabError(f"{command[0]} failed with {done.returncode}; see {path}")
