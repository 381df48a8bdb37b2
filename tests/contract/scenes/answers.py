"""What the APIs answer while nothing is wrong: versions, tokens, bodies, lists, errors."""

from typing import Any

from tests.contract.facts import form, plain, refusal, shape
from tests.contract.side import Answer, Kind
from tests.contract.stage import Scene, Stage

NOBODY = "00000000-0000-4000-8000-000000000000"
VERSION_HEADERS = ("openstack-api-version", "x-openstack-nova-api-version", "vary")

CLAIMS = {
    "versions": (
        "microversions are negotiated by both headers: the minimum without one, `latest`, 406 for"
        " one that is too new, 400 for one that is none; the answer's headers say which it is"
    ),
    "tokens": "no token and a wrong one get 401 from each service; so does a wrong password",
    "not_found": "an unknown server, service, or image gets 404 in its service's own words",
    "evacuate_body": (
        "what evacuate may be told depends on the version: `force` not from 2.68 and not without a"
        " host, `onSharedStorage` only and always before 2.14, unknown keys never"
    ),
    "evacuate_refused": (
        "evacuate refuses a host that is up, the server's own host, and an unknown host or server"
    ),
    "action_body": "an action that is unknown, or two in one body, get 400",
    "services_list": "os-services: the fields by version (2.1, 2.11, 2.53), both filters",
    "services_query": "an unknown query parameter of os-services: refused from 2.75 on",
    "services_put": (
        "a PUT of os-services refuses: no change, an unknown key, a reason without or with"
        " `enabled`, a reason too long or empty, another binary, an unknown service"
    ),
    "migrations_query": (
        "os-migrations refuses an unknown parameter (2.59), a bad limit, an unknown marker; an"
        " empty list has no links"
    ),
    "servers_shape": "a server's fields at 2.53, 2.94 and 2.100, alone and in the list",
    "servers_filters": (
        "the list of servers: by host, status, name; an unknown filter is refused from 2.75 on;"
        " other projects' servers only with all_tenants"
    ),
    "servers_pages": (
        "pages: newest first, a next link on each full page, a marker goes on behind itself; an"
        " unknown marker and a bad limit get 400"
    ),
    "attachments": "a server's volume attachments at 2.53, 2.79 and 2.89",
    "hypervisors": "os-hypervisors/detail at 2.53 and 2.88; a pattern that fits none gets 404",
    "groups": "os-server-groups: an empty list",
    "candidates": (
        "allocation_candidates: the shape, a demand that nobody can meet, an unknown class, trait"
        " and parameter, no amount, no demand"
    ),
    "image": "Glance shows an image that is active",
}


def play(stage: Stage) -> None:
    """Ask everything that changes nothing."""
    bfv = stage.boot("cmp1", Kind.BFV)[0]
    image = stage.boot("cmp1", Kind.IMAGE)[0]
    _versions(stage)
    _tokens(stage)
    _not_found(stage)
    _evacuate(stage, bfv)
    _services(stage)
    _migrations(stage)
    _servers(stage, bfv, image)
    _pages(stage)
    _hosts(stage)


def _told(answer: Answer) -> Any:
    headers = {name: answer.headers.get(name) for name in VERSION_HEADERS}
    error = refusal(answer) if answer.status != 200 else {"status": 200}
    return error | {"headers": headers}


def _versions(stage: Stage) -> None:
    api = stage.api
    legacy = "X-OpenStack-Nova-API-Version"
    for version in (None, "2.1", "2.53", "latest", "2.999", "1.0", "x", "2", "2.01"):
        stage.tell("versions", _told(api.get("/servers?limit=0", version=version)))
    for version in ("2.53", "latest", "2.999"):
        told = api.get("/servers?limit=0", version=None, headers={legacy: version})
        stage.tell("versions", _told(told))
    path = "/resource_providers?name=none"
    for version in (None, "1.39", "1.999", "x"):
        stage.tell("versions", _told(api.get(path, service="placement", version=version)))


def _tokens(stage: Stage) -> None:
    places = (("compute", "/servers"), ("placement", "/resource_providers"))
    for service, path in (*places, ("image", "/v2/images")):
        for token in (None, "no-such-token"):
            answer = stage.api.get(path, service=service, token=token, version=None)
            stage.tell("tokens", refusal(answer))
    stage.tell("tokens", refusal(stage.api.authenticate("wrong")))


def _not_found(stage: Stage) -> None:
    api = stage.api
    for answer in (
        api.get(f"/servers/{NOBODY}"),
        api.get("/servers/no-uuid"),
        api.ask("DELETE", f"/servers/{NOBODY}"),
        api.act(NOBODY, "os-start"),
        api.act(NOBODY, "os-stop"),
        api.act(NOBODY, "reboot", {"type": "HARD"}),
        api.act(NOBODY, "os-resetState", {"state": "error"}),
        api.get(f"/servers/{NOBODY}/diagnostics", version="2.48"),
        api.get(f"/servers/{NOBODY}/os-volume_attachments"),
        api.ask("PUT", f"/os-services/{NOBODY}", {"status": "disabled"}),
        api.get(f"/v2/images/{NOBODY}", service="image", version=None),
    ):
        stage.tell("not_found", refusal(answer))


def _evacuate(stage: Stage, server: str) -> None:
    bodies: tuple[tuple[str, Any], ...] = (
        ("2.13", {}),
        ("2.13", {"onSharedStorage": "x"}),
        ("2.13", {"onSharedStorage": True, "adminPass": "x"}),
        ("2.14", {"onSharedStorage": False}),
        ("2.28", {"force": True}),
        ("2.67", {"force": True}),
        ("2.68", {"host": "cmp2", "force": True}),
        ("2.94", {"host": "cmp2", "why": "x"}),
        ("2.94", {"host": 1}),
        ("2.94", None),
    )
    for version, body in bodies:
        stage.tell(
            "evacuate_body", refusal(stage.api.act(server, "evacuate", body, version=version))
        )
    for host in ("cmp2", "cmp1", "nowhere", None):
        told = {} if host is None else {"host": host}
        stage.tell("evacuate_refused", refusal(stage.api.act(server, "evacuate", told)))
    stage.tell("evacuate_refused", refusal(stage.api.act(NOBODY, "evacuate", {})))
    path = f"/servers/{server}/action"
    for body in ({"fly": None}, {}, {"os-start": None, "os-stop": None}):
        stage.tell("action_body", refusal(stage.api.ask("POST", path, body)))


def _services(stage: Stage) -> None:
    api = stage.api
    for version in ("2.1", "2.11", "2.53", "2.94"):
        answer = api.get("/os-services?host=cmp1&binary=nova-compute", version=version)
        stage.tell("services_list", form(answer))
    rows = api.get("/os-services")["services"]
    stage.tell("services_list", sorted({(r["binary"], r["zone"], r["state"]) for r in rows}))
    stage.tell("services_list", sorted(r["host"] for r in rows if r["binary"] == "nova-compute"))
    for query in ("host=nowhere", "binary=nothing"):
        stage.tell("services_list", plain(api.get(f"/os-services?{query}").body))
    for version in ("2.74", "2.75"):
        answer = api.get("/os-services?host=nowhere&fly=1", version=version)
        stage.tell("services_query", refusal(answer))
    bodies: tuple[Any, ...] = (
        {},
        {"fly": True},
        {"disabled_reason": "x"},
        {"status": "enabled", "disabled_reason": "x"},
        {"status": "disabled", "disabled_reason": ""},
        {"status": "disabled", "disabled_reason": "x" * 256},
        {"status": "asleep"},
        {"forced_down": "maybe"},
    )
    for body in bodies:
        stage.tell("services_put", refusal(stage.put_service("cmp4", **body)))
    other = next(r["id"] for r in rows if r["binary"] == "nova-conductor")
    answer = api.ask("PUT", f"/os-services/{other}", {"status": "disabled"})
    stage.tell("services_put", refusal(answer))
    answer = api.ask("PUT", f"/os-services/{other}", {"status": "disabled"}, version="2.52")
    stage.tell("services_put", answer.status)


def _migrations(stage: Stage) -> None:
    for query, version in (
        ("fly=1", "2.59"),
        ("changes-before=2026-01-01T00:00:00Z", "2.59"),
        ("user_id=x", "2.79"),
        ("limit=x", "2.94"),
        ("limit=-1", "2.94"),
        (f"marker={NOBODY}", "2.94"),
        ("changes-since=yesterday", "2.94"),
        ("source_compute=nowhere", "2.94"),
        ("migration_type=evacuation&source_compute=nowhere&status=done&limit=5", "2.94"),
    ):
        answer = stage.api.get(f"/os-migrations?{query}", version=version)
        stage.tell("migrations_query", refusal(answer))


def _servers(stage: Stage, bfv: str, image: str) -> None:
    api = stage.api
    for version in ("2.53", "2.94", "2.100"):
        for server in (bfv, image):
            answer = api.get(f"/servers/{server}", version=version)
            stage.tell("servers_shape", form(answer))
        listed = api.get("/servers/detail?host=cmp1", version=version)["servers"]
        stage.tell("servers_shape", [shape(row) for row in listed])
    for version in ("2.53", "2.79", "2.89"):
        answer = api.get(f"/servers/{bfv}/os-volume_attachments", version=version)
        stage.tell("attachments", form(answer))
    for query in ("host=cmp1", "host=cmp2", "status=ACTIVE", "status=SHUTOFF", "name=nobody"):
        found = api.get(f"/servers?all_tenants=1&{query}")["servers"]
        stage.tell("servers_filters", len(found))
    stage.tell("servers_filters", refusal(api.get("/servers?status=FLYING")))
    for version in ("2.74", "2.75"):
        answer = api.get("/servers?host=cmp2&fly=1", version=version)
        stage.tell("servers_filters", refusal(answer))
    made_from = stage.row(image)["image"]["id"]
    answer = api.get(f"/v2/images/{made_from}", service="image", version=None)
    stage.tell("image", [answer.status, answer["status"], answer["visibility"]])


def _pages(stage: Stage) -> None:
    api, ids = stage.api, [s["id"] for s in stage.api.get("/servers")["servers"]]
    for query in ("limit=1", f"limit=1&marker={ids[0]}", "limit=2", f"limit=2&marker={ids[-1]}"):
        answer = api.get(f"/servers?{query}")
        shown = [ids.index(row["id"]) for row in answer["servers"]]
        stage.tell("servers_pages", [shown, plain(answer.body.get("servers_links"))])
    for query in ("limit=x", "limit=-1", f"marker={NOBODY}", "limit=0"):
        stage.tell("servers_pages", refusal(api.get(f"/servers?{query}")))


def _hosts(stage: Stage) -> None:
    api = stage.api
    for version in ("2.53", "2.88"):
        found = api.get("/os-hypervisors/detail", version=version)
        row = next(h for h in found["hypervisors"] if h["hypervisor_hostname"] == "cmp2")
        stage.tell("hypervisors", {k: type(v).__name__ for k, v in row.items()})
        stage.tell("hypervisors", [row["state"], row["status"], row["hypervisor_type"]])
    answer = api.get("/os-hypervisors?hypervisor_hostname_pattern=nowhere")
    stage.tell("hypervisors", refusal(answer))
    stage.tell("groups", refusal(api.get("/os-server-groups?all_projects=1")))
    for query in (
        "resources=VCPU:100000",
        "resources=FLYING:1",
        "resources=VCPU",
        "resources=VCPU:0",
        "resources=VCPU:1&required=CUSTOM_FLYING",
        "",
    ):
        answer = api.get(f"/allocation_candidates?{query}", service="placement", version="1.39")
        stage.tell("candidates", refusal(answer))
    # Its words are the whole schema of this version.
    query = "resources=VCPU:1&fly=1"
    answer = api.get(f"/allocation_candidates?{query}", service="placement", version="1.39")
    stage.tell("candidates", answer.status)
    query = "resources=VCPU:1,MEMORY_MB:64,DISK_GB:1&limit=1"
    answer = api.get(f"/allocation_candidates?{query}", service="placement", version="1.39")
    request = answer["allocation_requests"][0]
    summary = next(iter(answer["provider_summaries"].values()))
    stage.tell("candidates", sorted(request), plain(list(request["allocations"].values())))
    stage.tell("candidates", {k: type(v).__name__ for k, v in summary.items()})
    stage.tell("candidates", shape(summary["resources"]))


SCENE = Scene(name="answers", claims=CLAIMS, play=play)
