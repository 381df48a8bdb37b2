"""Which cloud, with which credentials: read as every OpenStack client reads them.

openstacksdk knows clouds.yaml, secure.yaml, the OS_* variables and every authentication type;
this module only chooses, and turns each way of getting it wrong into a sentence with its cure.
"""

import contextlib
import os
import re
import ssl
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml
from keystoneauth1.exceptions import AuthPluginException
from keystoneauth1.identity.base import BaseIdentityPlugin
from openstack.config import OpenStackConfig
from openstack.config.cloud_region import CloudRegion
from openstack.config.loader import CONFIG_SEARCH_PATH, SECURE_FILES
from openstack.exceptions import ConfigException
from pydantic import SecretStr

from koboshi.domain.errors import ConfigurationError

SERVICES = ("compute", "placement", "image", "volumev3", "network")
"""The services that are called, by their types in the catalog."""
SECRET = re.compile(r"passw|passcode|secret|token")
"""In the names of what authentication plug-ins are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudAccess:
    """The operator's choice of a cloud; what is None, clouds.yaml and OS_* decide."""

    name: str | None = None
    config_file: Path | None = None
    region: str | None = None
    interface: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Everything that is needed to ask for a token, and to find and trust the services."""

    label: str
    """The cloud's name and where it is written, for messages."""
    auth_url: str
    """For messages only: without a user's name and password, should they stand in it."""
    plugin: BaseIdentityPlugin = field(repr=False)
    region: str | None
    interfaces: tuple[str, ...]
    endpoints: dict[str, str]
    """Overrides of the catalog (`compute_endpoint_override` and the like)."""
    verify: bool | str
    """False, or the CA bundle, or True for the library's own."""
    client_cert: tuple[str, str | None] | None
    secrets: tuple[SecretStr, ...] = ()
    """What is shown to Keystone, and must be shown to nobody else."""

    def tls(self) -> ssl.SSLContext:
        """Return how the services' certificates are verified: exactly as Keystone's are."""
        if self.verify is False:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self.verify is True:
            context = ssl.create_default_context()
        elif Path(self.verify).is_dir():
            context = ssl.create_default_context(capath=self.verify)
        else:
            context = ssl.create_default_context(cafile=self.verify)
        if self.client_cert is not None:
            context.load_cert_chain(*self.client_cert)
        return context


def load(access: CloudAccess) -> Credentials:
    """Return the chosen cloud's credentials. Raises ConfigurationError; sends nothing."""
    config = _read(access)
    default = cast("str | None", config.default_cloud)  # pyright: ignore[reportUnknownMemberType] - openstacksdk leaves it untyped
    name = access.name or os.environ.get("OS_CLOUD") or default
    region = _choose(access, config, name)
    label = f"cloud {name!r} ({config.config_filename or 'OS_* variables'})"
    plugin = region.get_auth()
    if not isinstance(plugin, BaseIdentityPlugin):
        raise ConfigurationError(
            f"{label}: auth_type {region.config.get('auth_type')!r} gives no token with a catalog; "
            "use one of Keystone's, e.g. `password` or `v3applicationcredential`",
        )
    verify, client_cert = _trust(region, label)
    told = region.get_auth_args()
    interface = region.get_interface("compute") or "public"
    return Credentials(
        label=label,
        auth_url=re.sub(r"//[^/@]*@", "//", str(told.get("auth_url", ""))),
        plugin=plugin,
        region=_wanted_region(access) or region.get_region_name("compute") or None,
        interfaces=(interface,) if isinstance(interface, str) else tuple(interface),
        endpoints={
            service: override
            for service in SERVICES
            if (override := region.get_endpoint(service)) is not None
        },
        verify=verify,
        client_cert=client_cert,
        secrets=tuple(SecretStr(str(v)) for k, v in told.items() if v and SECRET.search(k)),
    )


def _read(access: CloudAccess) -> OpenStackConfig:
    options: dict[str, Any] = {"app_name": "koboshi"}
    if access.config_file is not None:
        path = access.config_file.expanduser()
        try:
            path.read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"{path}: {error.strerror}; set config_file in [cloud] to a clouds.yaml that "
                "Koboshi's user may read",
            ) from None
        # The file that the operator named must win over OS_CLIENT_CONFIG_FILE.
        options |= {
            "config_files": [str(path)],
            "secure_files": [str(path.with_name(f"secure{path.suffix}")), *SECURE_FILES],
            "load_envvars": False,
        }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return OpenStackConfig(**options)
    except yaml.MarkedYAMLError as error:
        # The error's own text quotes the file, and so perhaps a password.
        mark = error.problem_mark
        place = f"{mark.name}, line {mark.line + 1}" if mark else str(access.config_file or "")
        raise ConfigurationError(f"{place}: not valid YAML: {error.problem}") from None
    except (ConfigException, yaml.YAMLError, OSError) as error:
        raise ConfigurationError(f"clouds.yaml cannot be read: {error}") from None
    except (AttributeError, KeyError, TypeError, ValueError):
        where = access.config_file or "clouds.yaml"
        raise ConfigurationError(
            f"{where}: not the shape of a clouds.yaml; it needs `clouds:` with one table a cloud",
        ) from None


def _choose(access: CloudAccess, config: OpenStackConfig, name: str | None) -> CloudRegion:
    known = [cloud for cloud in config.get_cloud_names() if cloud != "defaults"]
    if name is None or name == "defaults" or name not in known:
        raise ConfigurationError(_no_such_cloud(access, config, name, known))
    options: dict[str, Any] = {}
    if interface := access.interface or os.environ.get("OS_INTERFACE"):
        options["interface"] = interface
    wanted = _wanted_region(access)
    label = f"cloud {name!r} ({config.config_filename or 'OS_* variables'})"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if wanted is not None:
                with contextlib.suppress(ConfigException):
                    return config.get_one(cloud=name, region_name=wanted, **options)
            # A region that clouds.yaml does not list may be in the catalog all the same.
            return config.get_one(cloud=name, **options)
    except (ConfigException, AuthPluginException) as error:
        raise ConfigurationError(f"{label}: {str(error).rstrip('.')}") from None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{label}: its table has a wrong shape ({type(error).__name__})",
        ) from None


def _wanted_region(access: CloudAccess) -> str | None:
    return access.region or os.environ.get("OS_REGION_NAME") or None


def _no_such_cloud(
    access: CloudAccess,
    config: OpenStackConfig,
    name: str | None,
    known: list[str],
) -> str:
    looked = str(access.config_file or ", ".join(dict.fromkeys(CONFIG_SEARCH_PATH)))
    if known and name is None:
        return (
            f"{config.config_filename} has several clouds ({', '.join(sorted(known))}) and none "
            "is chosen; set name in [cloud], or OS_CLOUD"
        )
    if known:
        return (
            f"no cloud {name!r} in {config.config_filename or 'the OS_* variables'}; "
            f"it has: {', '.join(sorted(known))}"
        )
    wanted = f"no cloud {name!r}: " if name and name != "defaults" else "no cloud: "
    return (
        f"{wanted}there is no clouds.yaml with a cloud (looked in {looked}), and OS_AUTH_URL is "
        "not set; set config_file in [cloud], or put a clouds.yaml into /etc/openstack"
    )


def _trust(
    region: CloudRegion,
    label: str,
) -> tuple[bool | str, tuple[str, str | None] | None]:
    verify, cert = region.get_requests_verify_args()
    if verify is None or verify is True:
        # requests would trust its own bundle and httpx2 the system's: one of them for both.
        paths = ssl.get_default_verify_paths()
        verify = (
            os.environ.get("REQUESTS_CA_BUNDLE")
            or os.environ.get("CURL_CA_BUNDLE")
            or paths.cafile
            or paths.capath
            or True
        )
    pair = (cert, None) if isinstance(cert, str) else cert
    files = [("cacert", verify if isinstance(verify, str) else None)]
    files += [("cert", pair[0]), ("key", pair[1])] if pair else []
    for key, file in files:
        if file is not None and not Path(file).exists():
            raise ConfigurationError(f"{label}: {key} = {file}: there is no such file")
    return verify, pair
