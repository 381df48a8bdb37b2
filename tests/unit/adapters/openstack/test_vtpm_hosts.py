"""Which hosts can give a server a vTPM, by Placement's traits."""

from pathlib import Path

import pytest

from koboshi.domain.errors import InvalidAnswer
from tests.unit.adapters.loopback import Reply
from tests.unit.adapters.openstack.fake_cloud import SimCloud, connected
from tests.unit.adapters.openstack.test_survey import NOVA

pytestmark = pytest.mark.anyio


async def test_hosts_that_give_vtpms_are_those_with_a_trait(tmp_path: Path) -> None:
    fake = SimCloud()
    row = {
        "id": "rp1",
        "hypervisor_hostname": "cmp1",
        "hypervisor_type": "QEMU",
        "host_ip": None,
        "service": {"host": "cmp1"},
    }
    fake.json(f"{NOVA}/os-hypervisors/detail", {"hypervisors": [row]})
    unknown = Reply(status=400, body={"errors": [{"detail": "No such trait(s): X"}]})
    rows = [{"uuid": "rp1", "name": "cmp1"}, {"uuid": "ironic", "name": "n"}]
    there = Reply(body={"resource_providers": rows})
    path = "/placement/resource_providers"
    fake.on("GET", path, lambda seen: there if "2_0" in seen.query["required"] else unknown)
    async with connected(fake, tmp_path) as cloud:
        assert await cloud.tpm_hosts() == {"cmp1"}
        fake.on("GET", path, Reply(status=400, body={"errors": [{"detail": "malformed"}]}))
        with pytest.raises(InvalidAnswer, match="malformed"):
            await cloud.tpm_hosts()
