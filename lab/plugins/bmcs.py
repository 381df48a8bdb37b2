"""All BMCs: sushy-tools' Redfish emulator, one address per host, whose switch is the lab's.

One process in the BMCs' namespace. Each host's endpoint shows that host's system alone. The modes
(knobs/bmc-HOST.json) are played in front of the emulator.
"""

import os
import sys
import threading
import time
from pathlib import Path

import bcrypt
import flask
from sushy_tools.emulator import main as emulator
from sushy_tools.emulator.resources.systems.base import AbstractSystemsDriver
from sushy_tools import error
from werkzeug.serving import WSGIRequestHandler, make_server

from lab import hosts, knobs, layout, settings
from lab.guests import HostDisk

LAB = layout.here()
RUN = Path(os.environ["LAB_RUN"])
HOSTS = settings.load(LAB)[0].host_names
BY_ID = {layout.system_id(host): host for host in HOSTS}


def mode_of(host):
    return knobs.read(RUN, "bmc-" + host).get("mode", "normal")


class SwitchDriver(AbstractSystemsDriver):
    """The systems as the emulator sees them, within one request to one host's BMC."""

    @property
    def driver(self):
        return "<lab>"

    @property
    def systems(self):
        return [layout.system_id(flask.request.environ["lab.host"])]

    def _host(self, identity):
        if identity not in self.systems:
            raise error.NotFound("Lab system %s was not found" % identity)
        return BY_ID[identity]

    def uuid(self, identity):
        self._host(identity)
        return identity

    def name(self, identity):
        return self._host(identity)

    def get_power_state(self, identity):
        host = self._host(identity)
        if mode_of(host) == "lie-off":
            return "Off"
        return "On" if HostDisk(RUN, self._wired_to(host)).powered else "Off"

    def set_power_state(self, identity, state):
        host = self._host(identity)
        if mode_of(host) in ("lie-off", "accept-only") and state != "On":
            return
        host = self._wired_to(host)
        if state in ("ForceOff", "GracefulShutdown"):
            hosts.power_off(LAB, host)
        elif state in ("On", "ForceOn"):
            hosts.power_on(LAB, host)
        elif state in ("ForceRestart", "GracefulRestart"):
            hosts.reboot(LAB, host)
        else:
            raise error.BadRequest("reset type %s is not supported" % state)

    @staticmethod
    def _wired_to(host):
        """In wrong-host mode the cables of this BMC end at the next host."""
        if mode_of(host) != "wrong-host":
            return host
        return HOSTS[(HOSTS.index(host) + 1) % len(HOSTS)]

    def get_boot_device(self, identity):
        return "Hdd"

    def set_boot_device(self, identity, boot_source):
        raise error.NotSupportedError("the boot device cannot be chosen here")

    def get_boot_mode(self, identity):
        return "UEFI"

    def get_total_memory(self, identity):
        return 128

    def get_total_cpus(self, identity):
        return 64

    def get_nics(self, identity):
        mac = layout.host_mac(self._host(identity))
        return [{"id": mac, "mac": mac}]


emulator.Application.systems = property(lambda self, driver=SwitchDriver(): driver)
auth_file = LAB.secrets / "bmc.htpasswd"
password = settings.password(LAB.secrets, "bmc").encode()
settings.write_atomically(
    auth_file, "admin:" + bcrypt.hashpw(password, bcrypt.gensalt(4)).decode() + "\n", mode=0o600
)
emulator.app.configure(extra_config={"SUSHY_EMULATOR_AUTH_FILE": str(auth_file)})


def application_of(host):
    def application(environ, start_response):
        mode = mode_of(host)
        if mode in ("refuse", "hang"):
            # a body left unread would be taken for the connection's next request
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if mode == "refuse":
            start_response("503 Service Unavailable", [("Content-Type", "application/json")])
            return [b'{"error": {"code": "Base.1.0.GeneralError", "message": "not available"}}']
        if mode == "hang":
            while mode_of(host) == "hang":
                time.sleep(0.2)
            raise ConnectionAbortedError("this request was never answered")
        environ["lab.host"] = host
        return emulator.app(environ, start_response)

    return application


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_request(self, *args, **kwargs):
        pass


for name in HOSTS:
    server = make_server(
        layout.bmc_ip(name),
        layout.BMC_PORT,
        application_of(name),
        threaded=True,
        request_handler=Handler,
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
threading.Event().wait()
