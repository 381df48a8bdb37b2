"""Cinder driver with no back end at all: every operation is a no-op that succeeds."""

from cinder.tests import fake_driver


class LabVolumeDriver(fake_driver.FakeLoggingVolumeDriver):
    def create_volume(self, volume):
        return None

    # create from image: claim an efficient clone, so no bytes are copied
    def clone_image(self, context, volume, image_location, image_meta, image_service):
        return {}, True

    def copy_image_to_volume(self, *args, **kwargs):
        return None

    def _update_volume_stats(self):
        pool = {
            "pool_name": "lab",
            "total_capacity_gb": "infinite",
            "free_capacity_gb": "infinite",
            "provisioned_capacity_gb": 0,
            "reserved_percentage": 0,
            "QoS_support": False,
            "multiattach": True,
        }
        self._stats = {
            "volume_backend_name": "lab",
            "vendor_name": "lab",
            "driver_version": "1",
            "storage_protocol": "fake",
            "multiattach": True,
            "pools": [pool],
        }

    def initialize_connection(self, volume, connector):
        return {"driver_volume_type": "fake", "data": {"volume_id": volume.id, "access_mode": "rw"}}

    def retype(self, ctxt, volume, new_type, diff, host):
        return True, None
