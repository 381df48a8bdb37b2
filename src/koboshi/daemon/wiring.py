"""From settings to adapters, for the daemon and for the commands that ask as it would."""

from koboshi.adapters.fencing import BmcAccess, RedfishFence
from koboshi.adapters.openstack import CloudAccess, TimeLimits
from koboshi.adapters.probing import SshProbe, TcpProbe
from koboshi.ports.probe import Probe
from koboshi.settings import ProbeKind, RedfishDevice, Settings


def cloud_access(settings: Settings) -> CloudAccess:
    """Return which cloud is meant."""
    cloud = settings.cloud
    return CloudAccess(
        name=cloud.name,
        config_file=cloud.config_file,
        region=cloud.region,
        interface=cloud.interface,
    )


def time_limits(settings: Settings) -> TimeLimits:
    """Return how long the cloud's answers are waited for."""
    read_s = settings.cloud.read_timeout.total_seconds()
    return TimeLimits(
        read_s=read_s,
        read_total_s=2 * read_s,
        command_s=settings.cloud.command_timeout.total_seconds(),
    )


def probe(settings: Settings) -> Probe:
    """Return the way of asking hosts."""
    port, timeout = settings.probe.port, settings.probe.timeout
    if settings.probe.kind is ProbeKind.SSH:
        return SshProbe(port=port, timeout=timeout)
    return TcpProbe(port=port, timeout=timeout)


def fence(device: RedfishDevice) -> RedfishFence:
    """Return one host's power device."""
    return RedfishFence(
        BmcAccess(
            host=device.host,
            url=device.url,
            username=device.username,
            password=device.password,
            system_id=device.system_id,
            verify_tls=device.verify_tls,
            ca_file=device.ca_file,
            fingerprint=device.fingerprint,
            timeout=device.timeout,
        )
    )
