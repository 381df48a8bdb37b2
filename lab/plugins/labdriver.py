"""nova.virt.labdriver: nova's fake hypervisor, made to outlive nova-compute.

Servers and their disks are files (lab.guests): `kill -9` of nova-compute alone leaves the servers
running, as libvirt would, and what a host had on its disk is there when its power comes back.
The knobs (lab.knobs) are read at each call.
"""

import os
import signal
import time
from pathlib import Path

import nova.conf
from nova.compute import power_state
from nova import exception
from nova.objects import diagnostics as diagnostics_obj
from nova.objects import fields
from nova.virt import driver
from nova.virt import fake
from nova.virt import hardware

from lab import knobs
from lab.guests import RUNNING, STOPPED, Guest, HostDisk

CONF = nova.conf.CONF
RUN = Path(os.environ["LAB_RUN"])
PAUSED, SUSPENDED = "paused", "suspended"
POWER = {
    RUNNING: power_state.RUNNING,
    STOPPED: power_state.SHUTDOWN,
    PAUSED: power_state.PAUSED,
    SUSPENDED: power_state.SUSPENDED,
}


def volume_ids(block_device_info):
    mapping = driver.block_device_info_get_mapping(block_device_info)
    return [_volume_id(bdm["connection_info"]) for bdm in mapping]


def _volume_id(connection_info):
    return connection_info["data"]["volume_id"]


class LabDriver(fake.FakeDriverWithoutFakeNodes):
    vcpus = 64
    memory_mb = 131072
    local_gb = 4096

    def __init__(self, virtapi, read_only=False):
        super().__init__(virtapi, read_only)
        self.disk = HostDisk(RUN, CONF.host)
        # Koboshi protects QEMU/KVM hosts: report as libvirt does
        self.host_status_base.update(
            hypervisor_type="QEMU",
            hypervisor_version=7002000,
            supported_instances=[
                (fields.Architecture.X86_64, fields.HVType.QEMU, fields.VMMode.HVM)
            ],
        )

    def _knob(self, name):
        return knobs.read(RUN, CONF.host).get(name)

    def _guest(self, instance):
        guest = self.disk.get(instance.uuid)
        if guest is None:
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        return guest

    def _set_state(self, instance, state):
        guest = self._guest(instance)
        guest.state = state
        self.disk.define(guest)

    # -- what there is -------------------------------------------------------
    def get_host_ip_addr(self):
        return CONF.my_ip

    def list_instance_uuids(self):
        return self.disk.servers()

    def list_instances(self):
        guests = [self.disk.get(uuid) for uuid in self.disk.servers()]
        return [guest.domain for guest in guests if guest]

    def instance_exists(self, instance):
        return self.disk.get(instance.uuid) is not None

    def get_info(self, instance, use_cache=True):
        return hardware.InstanceInfo(state=POWER[self._guest(instance).state])

    def instance_on_disk(self, instance):
        shared = bool(self._knob("shared_storage"))
        return self.disk.disk_folder(instance.uuid, shared=shared).exists()

    def check_instance_shared_storage_local(self, context, instance):
        # None means shared: who cleans up here leaves the disks to the other host
        if self._guest(instance).shared_disks:
            return None
        raise NotImplementedError  # "not shared"

    def get_available_resource(self, nodename):
        guests = [self.disk.get(uuid) for uuid in self.disk.servers()]
        resources = super().get_available_resource(nodename)
        resources["running_vms"] = sum(g.state == RUNNING for g in guests if g)
        return resources

    # -- life ------------------------------------------------------------------
    def spawn(
        self,
        context,
        instance,
        image_meta,
        injected_files,
        admin_password,
        allocations,
        network_info=None,
        block_device_info=None,
        power_on=True,
        accel_info=None,
    ):
        self._wait_for_knobs()
        if self._knob("spawn_fails"):
            raise exception.InstanceDeployFailure(reason="lab: the knob spawn_fails is set")
        for vif in network_info or ():
            vif.fixed_ips()  # waits for the network's allocation, and fails as it does
            self._interfaces[vif["id"]] = vif
        shared = bool(self._knob("shared_storage"))
        for name in self._local_disks(instance, block_device_info):
            self.disk.ensure_disk(instance.uuid, name, shared=shared)
        self.disk.define(
            Guest(
                server=instance.uuid,
                name=instance.display_name,
                domain=instance.name,
                state=RUNNING if power_on else STOPPED,
                volumes=volume_ids(block_device_info),
                shared_disks=shared,
            )
        )
        if self._knob("spawn_kills"):
            os.kill(os.getpid(), signal.SIGKILL)

    def _wait_for_knobs(self):
        end = time.monotonic() + float(self._knob("spawn_seconds") or 0)
        while time.monotonic() < end or self._knob("spawn_never_ends"):
            time.sleep(0.1)

    @staticmethod
    def _local_disks(instance, block_device_info):
        mapping = driver.block_device_info_get_mapping(block_device_info)
        root = driver.block_device_info_get_root_device(block_device_info)
        names = []
        if not any(bdm.get("boot_index") == 0 or bdm["mount_device"] == root for bdm in mapping):
            names.append("root")
        ephemerals = driver.block_device_info_get_ephemerals(block_device_info)
        names += ["ephemeral%d" % n for n, _ in enumerate(ephemerals)]
        if driver.swap_is_usable(driver.block_device_info_get_swap(block_device_info)):
            names.append("swap")
        if instance.config_drive:
            names.append("config")
        return names

    def destroy(
        self,
        context,
        instance,
        network_info,
        block_device_info=None,
        destroy_disks=True,
        destroy_secrets=True,
    ):
        self.disk.undefine(instance.uuid, destroy_disks=destroy_disks)

    def cleanup(
        self,
        context,
        instance,
        network_info,
        block_device_info=None,
        destroy_disks=True,
        migrate_data=None,
        destroy_vifs=True,
        destroy_secrets=True,
    ):
        if destroy_disks:
            self.disk.undefine(instance.uuid, destroy_disks=True)

    def reboot(
        self,
        context,
        instance,
        network_info,
        reboot_type,
        block_device_info=None,
        bad_volumes_callback=None,
        accel_info=None,
        share_info=None,
    ):
        guest = self.disk.get(instance.uuid)
        if guest is None:
            if reboot_type.lower() != "hard":
                raise exception.InstanceNotFound(instance_id=instance.uuid)
            self.spawn(
                context,
                instance,
                instance.image_meta,
                None,
                None,
                None,
                network_info,
                block_device_info,
            )
            return
        self._set_state(instance, STOPPED)
        if reboot_type.lower() == "hard":
            guest.volumes = volume_ids(block_device_info)
        guest.state = RUNNING
        self.disk.define(guest)

    def power_on(
        self,
        context,
        instance,
        network_info,
        block_device_info=None,
        accel_info=None,
        share_info=None,
    ):
        self._set_state(instance, RUNNING)

    def power_off(self, instance, timeout=0, retry_interval=0):
        self._set_state(instance, STOPPED)

    def pause(self, instance):
        self._set_state(instance, PAUSED)

    def unpause(self, instance):
        self._set_state(instance, RUNNING)

    def suspend(self, context, instance):
        self._set_state(instance, SUSPENDED)

    def resume(self, context, instance, network_info, block_device_info=None, share_info=None):
        self._set_state(instance, RUNNING)

    def rescue(
        self,
        context,
        instance,
        network_info,
        image_meta,
        rescue_password,
        block_device_info,
        share_info,
    ):
        self._set_state(instance, STOPPED)
        self._set_state(instance, RUNNING)

    def unrescue(self, instance):
        self._set_state(instance, STOPPED)
        self._set_state(instance, RUNNING)

    # -- volumes -----------------------------------------------------------------
    def attach_volume(
        self,
        context,
        connection_info,
        instance,
        mountpoint,
        disk_bus=None,
        device_type=None,
        encryption=None,
    ):
        guest = self._guest(instance)
        guest.volumes = sorted({*guest.volumes, _volume_id(connection_info)})
        self.disk.define(guest)

    def detach_volume(self, context, connection_info, instance, mountpoint, encryption=None):
        guest = self.disk.get(instance.uuid)
        if guest:
            guest.volumes = [v for v in guest.volumes if v != _volume_id(connection_info)]
            self.disk.define(guest)

    def swap_volume(
        self, context, old_connection_info, new_connection_info, instance, mountpoint, resize_to
    ):
        self.detach_volume(context, old_connection_info, instance, mountpoint)
        self.attach_volume(context, new_connection_info, instance, mountpoint)

    # -- diagnostics ---------------------------------------------------------------
    def get_diagnostics(self, instance):
        up_s = int(time.time() - self._guest(instance).started)
        return {
            "cpu0_time": up_s * 10**7,
            "memory": instance.flavor.memory_mb * 1024,
            "vda_read": 262144 + up_s * 512,
            "vda_read_req": 112 + up_s,
            "vda_write": up_s * 4096,
            "vda_write_req": up_s,
            "vda_errors": -1,
        }

    def get_instance_diagnostics(self, instance):
        up_s = int(time.time() - self._guest(instance).started)
        found = diagnostics_obj.Diagnostics(
            state="running",
            driver="libvirt",
            hypervisor="qemu",
            hypervisor_os="linux",
            uptime=up_s,
            config_drive=bool(instance.config_drive),
        )
        found.add_cpu(id=0, time=up_s * 10**7, utilisation=1)
        found.add_disk(
            read_bytes=262144 + up_s * 512,
            read_requests=112 + up_s,
            write_bytes=up_s * 4096,
            write_requests=up_s,
            errors_count=0,
        )
        found.memory_details = diagnostics_obj.MemoryDiagnostics(
            maximum=instance.flavor.memory_mb, used=instance.flavor.memory_mb // 2
        )
        return found

    # -- moves -----------------------------------------------------------------------
    def live_migration(
        self,
        context,
        instance,
        dest,
        post_method,
        recover_method,
        block_migration=False,
        migrate_data=None,
    ):
        time.sleep(float(self._knob("migrate_seconds") or 0))
        guest, arrival = self._guest(instance), HostDisk(RUN, dest)
        if not guest.shared_disks:
            # the disk's bytes travel too, so its id does
            for disk in self.disk.disks(guest):
                if disk["kind"] == "local":
                    path = arrival.disk_folder(instance.uuid, shared=False) / disk["name"]
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(disk["id"])
        self.disk.undefine(instance.uuid, destroy_disks=True)
        arrival.define(guest)
        post_method(context, instance, dest, block_migration, migrate_data)

    def post_live_migration_at_destination(
        self, context, instance, network_info, block_migration=False, block_device_info=None
    ):
        self._guest(instance)

    def migrate_disk_and_power_off(
        self,
        context,
        instance,
        dest,
        flavor,
        network_info,
        block_device_info=None,
        timeout=0,
        retry_interval=0,
    ):
        self.power_off(instance)
        return "[]"

    def finish_revert_migration(
        self,
        context,
        instance,
        network_info,
        migration,
        block_device_info=None,
        power_on=True,
        share_info=None,
    ):
        if power_on:
            self._set_state(instance, RUNNING)

    def confirm_migration(self, context, migration, instance, network_info):
        if migration.source_compute != migration.dest_compute:
            self.destroy(context, instance, network_info)
