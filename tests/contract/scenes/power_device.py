"""A BMC's Redfish: what it reads, what its switch does, and how it refuses."""

import base64
from typing import Any

from tests.contract.side import Answer, Bmc, Kind
from tests.contract.stage import Scene, Stage

HOST = "cmp4"
SYSTEMS = "/redfish/v1/Systems"

CLAIMS = {
    "bmc_root": "the service root needs no password and leads to the systems",
    "bmc_password": "without a password, or with a wrong one: 401",
    "bmc_unknown": "an unknown system: 404",
    "bmc_system": "a system's power reads On, and its reset action names its target",
    "bmc_off": "ForceOff: accepted, the power reads Off, its servers run nowhere",
    "bmc_on": "On: accepted, the power reads On, its servers do not run yet; what is on already",
    "bmc_refused": "a reset of an unknown type",
    "bmc_noticed": "Nova takes the host for down, and when it boots again for up",
}


def play(stage: Stage) -> None:
    """Switch a host off and on by its BMC."""
    bmc = stage.side.bmc(HOST)
    server = stage.boot(HOST, Kind.BFV)[0]
    system = f"{SYSTEMS}/{bmc.system_id}"
    root = _ask(stage, bmc, "GET", "/redfish/v1/", password=None)
    stage.tell("bmc_root", root.status, root["Systems"]["@odata.id"])
    for password in (None, "wrong"):
        stage.tell("bmc_password", _ask(stage, bmc, "GET", system, password=password).status)
    stage.tell("bmc_unknown", _ask(stage, bmc, "GET", f"{SYSTEMS}/nobody").status)
    shown = _ask(stage, bmc, "GET", system)
    target = shown["Actions"]["#ComputerSystem.Reset"]["target"]
    stage.tell("bmc_system", shown.status, shown["PowerState"])
    stage.tell("bmc_system", target.replace(bmc.system_id, "<system>"))
    stage.tell("bmc_refused", _reset(stage, bmc, target, "Explode"))
    stage.tell("bmc_off", _reset(stage, bmc, target, "ForceOff"), _power(stage, bmc, system))
    stage.tell("bmc_off", stage.runs_on(server))
    stage.until(lambda: stage.services()[HOST]["state"] == "down", "the host to be down")
    stage.tell("bmc_noticed", stage.services()[HOST]["state"], stage.state(server))
    stage.tell("bmc_on", _reset(stage, bmc, target, "On"), _power(stage, bmc, system))
    stage.tell("bmc_on", stage.runs_on(server), _reset(stage, bmc, target, "On"))
    stage.until(lambda: stage.services()[HOST]["state"] == "up", "the host to be up")
    stage.until(lambda: stage.row(server)["status"] == "SHUTOFF", "its server to be SHUTOFF")
    stage.tell("bmc_noticed", stage.services()[HOST]["state"], stage.state(server))


def _ask(
    stage: Stage, bmc: Bmc, method: str, path: str, body: Any = None, password: str | None = ""
) -> Answer:
    headers: dict[str, str] = {}
    if password is not None:
        told = f"{bmc.username}:{password or bmc.password}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(told).decode()}"
    return stage.api.send(method, bmc.url + path, body=body, headers=headers)


def _reset(stage: Stage, bmc: Bmc, target: str, kind: str) -> int | None:
    return _ask(stage, bmc, "POST", target, {"ResetType": kind}).status


def _power(stage: Stage, bmc: Bmc, system: str) -> str:
    return _ask(stage, bmc, "GET", system)["PowerState"]


SCENE = Scene(name="power_device", claims=CLAIMS, play=play)
