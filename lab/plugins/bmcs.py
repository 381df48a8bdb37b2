"""All BMCs' Redfish: sushy-tools' emulator, one address per host, whose switch is the lab's.

One process in the BMCs' namespace. Each host's endpoint shows that host's system alone. What
concerns the connection (refused, hung, wrong password) is played in front of the emulator.
"""

import os
import threading
import time
from pathlib import Path

import bcrypt
import flask
from sushy_tools.emulator import main as emulator
from sushy_tools.emulator.resources.systems.base import AbstractSystemsDriver
from sushy_tools import error
from werkzeug.serving import WSGIRequestHandler, make_server

from lab import configure, layout, settings
from lab.bmc import USER, Bmc

LAB = layout.here()
RUN = Path(os.environ["LAB_RUN"])
HOSTS = settings.load(LAB)[0].host_names
BMCS = {layout.system_id(host): Bmc(LAB, host, HOSTS) for host in HOSTS}


class SwitchDriver(AbstractSystemsDriver):
    """The systems as the emulator sees them, within one request to one host's BMC."""

    @property
    def driver(self):
        return "<lab>"

    @property
    def systems(self):
        return [layout.system_id(flask.request.environ["lab.host"])]

    def _bmc(self, identity):
        if identity not in self.systems:
            raise error.NotFound("Lab system %s was not found" % identity)
        return BMCS[identity]

    def uuid(self, identity):
        return self._bmc(identity).uuid

    def name(self, identity):
        return self._bmc(identity).wired_to

    def get_power_state(self, identity):
        return "On" if self._bmc(identity).reads_on() else "Off"

    def set_power_state(self, identity, state):
        bmc = self._bmc(identity)
        if state in ("ForceOff", "GracefulShutdown"):
            bmc.off()
        elif state in ("On", "ForceOn"):
            bmc.on()
        elif state in ("ForceRestart", "GracefulRestart"):
            bmc.restart()
        else:
            raise error.BadRequest("reset type %s is not supported" % state)

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
        mac = layout.host_mac(self._bmc(identity).wired_to)
        return [{"id": mac, "mac": mac}]


emulator.Application.systems = property(lambda self, driver=SwitchDriver(): driver)
auth_file = LAB.secrets / "bmc.htpasswd"
password = configure.bmc_password(LAB).encode()
hashed = bcrypt.hashpw(password, bcrypt.gensalt(4)).decode()
settings.write_atomically(auth_file, "%s:%s\n" % (USER, hashed), mode=0o600)
emulator.app.configure(extra_config={"SUSHY_EMULATOR_AUTH_FILE": str(auth_file)})


def failure(start_response, status, code):
    start_response(status, [("Content-Type", "application/json")])
    return [b'{"error": {"code": "Base.1.0.%s", "message": "lab: told to fail"}}' % code]


def application_of(host):
    bmc = BMCS[layout.system_id(host)]

    def application(environ, start_response):
        mode = bmc.mode
        if mode in ("refuse", "hang", "wrong-password"):
            # a body left unread would be taken for the connection's next request
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if mode == "refuse":
            return failure(start_response, "503 Service Unavailable", b"GeneralError")
        if mode == "wrong-password":
            return failure(start_response, "401 Unauthorized", b"NoValidSession")
        if mode == "hang":
            while bmc.mode == "hang":
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
