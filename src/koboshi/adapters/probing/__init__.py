"""Ways of asking a host over a network whether it lives, behind the `Probe` port."""

from koboshi.adapters.probing.addresses import Addresses, read_inventory
from koboshi.adapters.probing.http import HttpProbe
from koboshi.adapters.probing.icmp import IcmpProbe, why_no_icmp
from koboshi.adapters.probing.server import ServerProber
from koboshi.adapters.probing.several import SeveralProbes
from koboshi.adapters.probing.ssh import SshProbe
from koboshi.adapters.probing.tcp import TcpProbe

__all__ = [
    "Addresses",
    "HttpProbe",
    "IcmpProbe",
    "ServerProber",
    "SeveralProbes",
    "SshProbe",
    "TcpProbe",
    "read_inventory",
    "why_no_icmp",
]
