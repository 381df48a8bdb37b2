"""What an operator decides: typed, bounded settings, each with its default and its reason."""

from koboshi.settings.deciding import PaceSettings, PolicySettings
from koboshi.settings.fencing import (
    AgentDevice,
    Device,
    FencingSettings,
    HostDevices,
    RedfishDevice,
)
from koboshi.settings.load import (
    CONFIG_VARIABLE,
    DEFAULT_PATH,
    InvalidSettings,
    Problem,
    load_settings,
)
from koboshi.settings.schema import Settings, ShortenedWindow
from koboshi.settings.telling import (
    HttpSettings,
    LogFormat,
    LogLevel,
    LogSettings,
    WebhookSettings,
)
from koboshi.settings.watching import (
    CloudSettings,
    EvidenceSettings,
    HostsSettings,
    ProbeKind,
    ProbeSettings,
    WindowsSettings,
)

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_PATH",
    "AgentDevice",
    "CloudSettings",
    "Device",
    "EvidenceSettings",
    "FencingSettings",
    "HostDevices",
    "HostsSettings",
    "HttpSettings",
    "InvalidSettings",
    "LogFormat",
    "LogLevel",
    "LogSettings",
    "PaceSettings",
    "PolicySettings",
    "ProbeKind",
    "ProbeSettings",
    "Problem",
    "RedfishDevice",
    "Settings",
    "ShortenedWindow",
    "WebhookSettings",
    "WindowsSettings",
    "load_settings",
]
