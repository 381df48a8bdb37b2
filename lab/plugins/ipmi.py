"""All BMCs' IPMI 2.0: pyghmi's BMC, one address per host, whose switch is the lab's.

One process, and one thread, in the BMCs' namespace: pyghmi serves all of its sockets from one
select loop. A BMC that hangs drops what it hears, so it holds up nobody else; a slow one does.
"""

import uuid

from pyghmi.ipmi import bmc as pyghmi_bmc

from lab import configure, layout, settings
from lab.bmc import USER, Bmc

LAB = layout.here()
HOSTS = settings.load(LAB)[0].host_names
PASSWORD = configure.bmc_password(LAB)
NODE_BUSY = 0xC0


class Users:
    """Who may log in to one BMC; pyghmi asks at each session."""

    def __init__(self, bmc):
        self._bmc = bmc

    def get(self, name):
        if name != USER:
            return None
        return "changed" if self._bmc.mode == "wrong-password" else PASSWORD


class Ipmi(pyghmi_bmc.Bmc):
    def __init__(self, bmc):
        super().__init__(Users(bmc), layout.IPMI_PORT, address=layout.bmc_ip(bmc.host))
        self._bmc = bmc

    def sessionless_data(self, data, sockaddr):
        if self._bmc.mode != "hang":
            super().sessionless_data(data, sockaddr)

    def handle_raw_request(self, request, session):
        mode = self._bmc.mode
        if mode == "refuse":
            session.send_ipmi_response(code=NODE_BUSY)
        elif mode != "hang":
            super().handle_raw_request(request, session)

    def get_system_guid(self):
        return uuid.UUID(self._bmc.uuid)

    def get_power_state(self):
        return "on" if self._bmc.reads_on() else "off"

    def power_off(self):
        self._bmc.off()

    def power_shutdown(self):
        self._bmc.off()

    def power_on(self):
        self._bmc.on()

    def power_reset(self):
        self._bmc.restart()

    def power_cycle(self):
        self._bmc.restart()


for name in HOSTS:
    Ipmi(Bmc(LAB, name, HOSTS))
Ipmi.listen()
