"""OpenStack's API behind the `Cloud` port.

Credentials as every client has them, calls as few as a recovery needs, and each answer judged
before it is believed.
"""

from koboshi.adapters.openstack.access import CloudAccess
from koboshi.adapters.openstack.cloud import OpenStackCloud, connect
from koboshi.adapters.openstack.health import ApiHealth
from koboshi.adapters.openstack.identity import Carrier
from koboshi.adapters.openstack.projects import Project, all_projects, projects_named
from koboshi.adapters.openstack.stock import take_records, take_stock
from koboshi.adapters.openstack.survey import Finding, survey
from koboshi.adapters.openstack.wire import TimeLimits

__all__ = [
    "ApiHealth",
    "Carrier",
    "CloudAccess",
    "Finding",
    "OpenStackCloud",
    "Project",
    "TimeLimits",
    "all_projects",
    "connect",
    "projects_named",
    "survey",
    "take_records",
    "take_stock",
]
