"""Redfish: the BMC of each host as one system of a chassis controller, with its fault modes.

As sushy-emulator and the lab's BMCs answer; DSP0266 for the error's shape.
"""

import base64
import binascii
import secrets
from dataclasses import dataclass

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from koboshi.domain.errors import FenceError
from koboshi.domain.facts.cloud import Power
from koboshi.domain.names import HostName
from koboshi.sim.bmc import Bmc, SimFence
from koboshi.sim.http.answering import disconnected, json_answer
from koboshi.sim.http.call import Document
from koboshi.sim.http.errors import Cut
from koboshi.sim.http.users import BMC_USER, PASSWORD
from koboshi.sim.world import World

ROOT = "/redfish/v1"
SYSTEMS = f"{ROOT}/Systems"
RESETS = ("On", "ForceOff", "GracefulShutdown", "ForceRestart", "ForceOn")
SHOWN = {Power.ON: "On", Power.OFF: "Off"}


def routes(world: World, password: str = PASSWORD) -> list[BaseRoute]:
    """Return the routes; the root alone needs no password."""
    bmcs = _Bmcs(world, password)
    return [
        Route(ROOT, bmcs.root, methods=["GET"]),
        Route(f"{ROOT}/", bmcs.root, methods=["GET"]),
        Route(SYSTEMS, bmcs.systems, methods=["GET"]),
        Route(f"{SYSTEMS}/{{id}}", bmcs.system, methods=["GET"]),
        Route(f"{SYSTEMS}/{{id}}/Actions/ComputerSystem.Reset", bmcs.reset, methods=["POST"]),
    ]


@dataclass(frozen=True, slots=True)
class _Bmcs:
    world: World
    password: str

    async def root(self, _request: Request) -> Response:
        """Show the service root."""
        return json_answer(
            {
                "@odata.id": f"{ROOT}/",
                "@odata.type": "#ServiceRoot.v1_5_0.ServiceRoot",
                "Id": "RootService",
                "Name": "Root Service",
                "RedfishVersion": "1.5.0",
                "Systems": {"@odata.id": SYSTEMS},
            }
        )

    async def systems(self, request: Request) -> Response:
        """List the systems: every host is one."""
        if not self._allows(request):
            return _unauthorised()
        members = [{"@odata.id": f"{SYSTEMS}/{host}"} for host in self.world.fences]
        return json_answer(
            {
                "@odata.id": SYSTEMS,
                "@odata.type": "#ComputerSystemCollection.ComputerSystemCollection",
                "Name": "Computer System Collection",
                "Members": members,
                "Members@odata.count": len(members),
            }
        )

    async def system(self, request: Request) -> Response:
        """Show one system; its BMC reads the power as its mode lets it."""
        fence = await self._reached(request)
        if isinstance(fence, Response):
            return fence
        try:
            power = await fence.power_state()
        except FenceError:
            await disconnected(request)
            raise Cut from None
        host = request.path_params["id"]
        told = await fence.identity()
        shown = _system(host, SHOWN.get(power, "PoweringOn"))
        return json_answer(shown | {"SerialNumber": told.serial, "HostName": told.host_name})

    async def reset(self, request: Request) -> Response:
        """Switch the power, as the BMC's mode lets it."""
        fence = await self._reached(request)
        if isinstance(fence, Response):
            return fence
        kind = (await request.json()).get("ResetType")
        if kind not in RESETS:
            return error(400, f"The value {kind} for the parameter ResetType is not supported.")
        machine = self.world.host(fence.wired_to)
        if fence.mode is Bmc.REFUSE:
            return error(403, "The user has no privilege to perform the operation.")
        if kind in {"On", "ForceOn"}:
            await fence.power_on()
            return Response(status_code=204)
        if not machine.power and fence.mode is Bmc.NORMAL:
            return error(409, "The requested operation is not valid: the system is off already.")
        await fence.power_off()
        if kind == "ForceRestart":
            self.world.cloud.tasks.start_soon(self.world.cloud.boot, fence.wired_to)
        return Response(status_code=204)

    async def _reached(self, request: Request) -> SimFence | Response:
        """Return the BMC, or what is answered in its stead; one that is silent never answers."""
        fence = self.world.fences.get(HostName(request.path_params["id"]))
        if fence is not None and fence.is_silent:
            await disconnected(request)
            raise Cut
        if not self._allows(request) or (fence is not None and fence.mode is Bmc.WRONG_PASSWORD):
            return _unauthorised()
        if fence is None:
            return error(404, f"There is no system {request.path_params['id']}.")
        await anyio.lowlevel.checkpoint()
        return fence

    def _allows(self, request: Request) -> bool:
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return False
        try:
            told = base64.b64decode(text, validate=True)
        except binascii.Error:
            return False
        return secrets.compare_digest(told, f"{BMC_USER}:{self.password}".encode())


def error(status: int, message: str) -> Response:
    """Return an error as Redfish writes it."""
    told: Document = {"code": "Base.1.0.GeneralError", "message": message}
    return json_answer({"error": told}, status)


def _unauthorised() -> Response:
    answer = error(401, "The user name or the password is wrong.")
    answer.headers["WWW-Authenticate"] = 'Basic realm="Redfish"'
    return answer


def _system(host: str, power: str) -> Document:
    path = f"{SYSTEMS}/{host}"
    return {
        "@odata.id": path,
        "@odata.type": "#ComputerSystem.v1_13_0.ComputerSystem",
        "Id": host,
        "Name": host,
        "SystemType": "Physical",
        "PowerState": power,
        "Status": {"State": "Enabled", "Health": "OK"},
        "Actions": {
            "#ComputerSystem.Reset": {
                "target": f"{path}/Actions/ComputerSystem.Reset",
                "ResetType@Redfish.AllowableValues": list(RESETS),
            }
        },
    }
