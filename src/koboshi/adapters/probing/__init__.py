"""Ways of asking a host's management network whether it lives, behind the `Probe` port."""

from koboshi.adapters.probing.ssh import SshProbe
from koboshi.adapters.probing.tcp import TcpProbe

__all__ = ["SshProbe", "TcpProbe"]
