"""Where a service is, by the catalog that came with the token; a wrong region is named as such."""

from keystoneauth1.access import AccessInfo

from koboshi.adapters.openstack.access import Credentials
from koboshi.domain.errors import ConfigurationError


def regions_of(access: AccessInfo) -> tuple[str, ...]:
    """Return the regions that the catalog knows, sorted."""
    found = {
        endpoint["region_name"]
        for service in access.service_catalog.normalize_catalog()
        for endpoint in service["endpoints"]
        if endpoint.get("region_name")
    }
    return tuple(sorted(found))


def endpoint_of(service: str, credentials: Credentials, access: AccessInfo) -> str:
    """Return the service's address. Raises ConfigurationError with what there is instead."""
    if override := credentials.endpoints.get(service):
        return override.rstrip("/")
    label, region = credentials.label, credentials.region
    regions = regions_of(access)
    if region is not None and region not in regions:
        raise ConfigurationError(
            f"{label}: no region {region!r} in the catalog; it has: {', '.join(regions) or 'none'} "
            "(upper and lower case matter); set region in [cloud], or region_name in clouds.yaml",
        )
    try:
        everywhere = access.service_catalog.get_endpoints_data(
            service_type=service,
            region_name=region,
        )
        here = [endpoint for endpoints in everywhere.values() for endpoint in endpoints]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ConfigurationError(f"{label}: the catalog cannot be read") from None
    if not here:
        where = f" in region {region}" if region else ""
        types = sorted({item["type"] for item in access.service_catalog.normalize_catalog()})
        raise ConfigurationError(
            f"{label}: the catalog has no {service!r} service{where}; it has: "
            f"{', '.join(types) or 'nothing (is the token scoped to a project?)'}; "
            f"register its endpoint in Keystone, or set {service}_endpoint_override in clouds.yaml",
        )
    for interface in credentials.interfaces:
        urls = {
            endpoint.region_name: endpoint.url
            for endpoint in here
            if endpoint.interface == interface.removesuffix("URL") and endpoint.url
        }
        if len(urls) > 1:
            raise ConfigurationError(
                f"{label}: the catalog has {service!r} in several regions "
                f"({', '.join(sorted(str(name) for name in urls))}) and none is chosen; "
                "set region in [cloud], or region_name in clouds.yaml",
            )
        for url in urls.values():
            return str(url).rstrip("/")
    raise ConfigurationError(
        f"{label}: {service!r} has no {' or '.join(credentials.interfaces)} endpoint in the "
        f"catalog; it has: {', '.join(sorted({str(endpoint.interface) for endpoint in here}))}; "
        "set interface in [cloud], or in clouds.yaml",
    )
