"""The simulated cloud as clients meet it: Keystone, Nova, Placement, Glance, Neutron, Cinder, Redfish.

`Face(world)` is one ASGI application with all of them, so that the real adapters and the real
`openstack` command can be held to the simulation. What the cloud does is the world's part; here is
only how it is asked and how it answers, in the words of the real services.

On a port of the loopback, in real time (port 0 takes a free one)::

    async with anyio.create_task_group() as tasks:
        cloud = SimCloud([host(n) for n in range(1, 5)])
        cloud.begin(tasks)
        world = World.around(cloud)
        async with serving(Face(world)) as served:
            path.write_text(served.clouds_yaml("koboshi-demo"))

Users are in `users` (an administrator `admin`, one for Koboshi, one who may only read), all with
the same password. The BMC of host `h1` is the system `h1` at `served.url`, with the user
`BMC_USER` and that password: `[fencing.hosts.h1] url = served.url, system_id = "h1"`.
"""

from koboshi.sim.http.app import Face
from koboshi.sim.http.serving import Served, serving
from koboshi.sim.http.users import ADMIN, BMC_USER, KOBOSHI, PASSWORD, READER, User

__all__ = [
    "ADMIN",
    "BMC_USER",
    "KOBOSHI",
    "PASSWORD",
    "READER",
    "Face",
    "Served",
    "User",
    "serving",
]
