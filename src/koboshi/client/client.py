"""Asking a running daemon, over its Unix socket."""

import socket
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import TypeAdapter, ValidationError

from koboshi.api.asked import (
    ArmAsked,
    Asked,
    ConfirmDeadAsked,
    ConfirmDomainAsked,
    DisarmAsked,
    RebuildAsked,
    ReleaseAsked,
    TestFenceAsked,
)
from koboshi.api.views import (
    AnswerView,
    DomainView,
    ErrorView,
    HealthView,
    HostDetail,
    HostView,
    IncidentDetail,
    IncidentView,
    ServerDetail,
    StatusView,
)
from koboshi.domain.errors import DaemonUnreachable, KoboshiError, SafetyRefusal

CONNECT_S = 2.0
ANSWER_S = 10.0
MAX_ANSWER = 64 * 1024 * 1024

T = TypeVar("T")


class ApiError(KoboshiError):
    """The daemon answered that it cannot serve the request; the text is its own."""


class ApiClient:
    """A synchronous client; every call raises DaemonUnreachable when nobody answers."""

    def __init__(self, socket_path: Path, *, answer_s: float = ANSWER_S) -> None:
        self._path = socket_path
        self._client = httpx2.Client(
            transport=httpx2.HTTPTransport(uds=str(socket_path)),
            base_url="http://koboshi",
            timeout=httpx2.Timeout(answer_s, connect=CONNECT_S),
            trust_env=False,
        )

    def status(self) -> StatusView:
        """Return the overview."""
        return self._get("/v1/status", StatusView)

    def incidents(self) -> list[IncidentView]:
        """Return all incidents, newest first."""
        return self._get("/v1/incidents", list[IncidentView])

    def incident(self, wanted: str) -> IncidentDetail:
        """Return one incident by its id, the beginning of it, or `last`."""
        return self._get(f"/v1/incidents/{quote(wanted, safe='')}", IncidentDetail)

    def health(self) -> HealthView:
        """Return how the daemon is."""
        return self._get("/readyz?verbose=true", HealthView, accepted=(200, 503))

    def hosts(self) -> list[HostView]:
        """Return all hosts with their verdicts."""
        return self._get("/v1/hosts", list[HostView])

    def host(self, host: str) -> HostDetail:
        """Return one host, explained."""
        return self._get(f"/v1/hosts/{quote(host, safe='')}", HostDetail)

    def domains(self) -> list[DomainView]:
        """Return the declared domains with their hosts."""
        return self._get("/v1/domains", list[DomainView])

    def confirm_domain(self, domain: str) -> AnswerView:
        """Say that the silent hosts of a domain are dead; raises SafetyRefusal."""
        path = f"/v1/domains/{quote(domain, safe='')}/confirm"
        return self._post(path, ConfirmDomainAsked(confirm=domain), AnswerView)

    def arm(self, *, keep: bool = False) -> AnswerView:
        """Let the daemon act; raises SafetyRefusal."""
        return self._post("/v1/arm", ArmAsked(keep=keep), AnswerView)

    def disarm(self, reason: str, *, for_s: float | None = None) -> AnswerView:
        """Let the daemon begin nothing new."""
        return self._post("/v1/disarm", DisarmAsked(for_s=for_s, reason=reason), AnswerView)

    def test_fence(self, host: str) -> AnswerView:
        """Begin the test of a host's power device; raises SafetyRefusal."""
        path = f"/v1/hosts/{quote(host, safe='')}/test-fence"
        return self._post(path, TestFenceAsked(confirm=host), AnswerView)

    def server(self, wanted: str) -> ServerDetail:
        """Return a server of an open incident, by its id or name."""
        return self._get(f"/v1/servers/{quote(wanted, safe='')}", ServerDetail)

    def rebuild(self, server: str, *, note: str = "") -> AnswerView:
        """Give up a held server's local disks, by its id; raises SafetyRefusal."""
        asked = RebuildAsked(confirm=server, note=note)
        return self._post(f"/v1/servers/{quote(server, safe='')}/rebuild", asked, AnswerView)

    def release(self, host: str) -> AnswerView:
        """Let a quarantined host serve again; raises SafetyRefusal."""
        path = f"/v1/hosts/{quote(host, safe='')}/release"
        return self._post(path, ReleaseAsked(), AnswerView)

    def confirm_dead(self, host: str, *, note: str = "") -> AnswerView:
        """Say that a host is dead; raises SafetyRefusal when a witness speaks against it."""
        asked = ConfirmDeadAsked(confirm=host, note=note)
        return self._post(f"/v1/hosts/{quote(host, safe='')}/confirm-dead", asked, AnswerView)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _get(self, path: str, model: type[T], *, accepted: tuple[int, ...] = (200,)) -> T:
        return self._understand(path, self._ask("GET", path), model, accepted)

    def _post(self, path: str, asked: Asked, model: type[T]) -> T:
        return self._understand(path, self._ask("POST", path, asked), model, (200,))

    def _understand(
        self, path: str, answer: tuple[int, bytes], model: type[T], accepted: tuple[int, ...]
    ) -> T:
        status, raw = answer
        try:
            if status in accepted:
                return TypeAdapter(model).validate_json(raw)
            error = ErrorView.model_validate_json(raw)
        except ValidationError:
            raise ApiError(
                f"the daemon at {self._path} answered {path} with {status} and something that "
                "this version does not understand; use the daemon's own version of koboshi",
            ) from None
        text = f"{error.error}; {error.cure}" if error.cure else error.error
        raise SafetyRefusal(text) if error.is_refusal else ApiError(text)

    def _ask(self, method: str, path: str, asked: Asked | None = None) -> tuple[int, bytes]:
        self._assert_somebody_listens()
        body = None if asked is None else asked.model_dump(mode="json")
        try:
            with self._client.stream(method, path, json=body) as response:
                raw = b""
                for chunk in response.iter_bytes():
                    raw += chunk
                    if len(raw) > MAX_ANSWER:
                        raise ApiError(f"the daemon at {self._path} answers {path} without end")
                return response.status_code, raw
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise DaemonUnreachable(
                f"no daemon answers at {self._path}: {_reason(error)}",
            ) from None
        except httpx2.TimeoutException:
            raise DaemonUnreachable(
                f"the daemon at {self._path} accepted the connection and did not answer {path} in "
                "time; look into its log",
            ) from None
        except httpx2.TransportError as error:
            raise DaemonUnreachable(
                f"the daemon at {self._path} closed the connection ({_reason(error)}); it serves "
                "root and its own user only: try sudo",
            ) from None

    def _assert_somebody_listens(self) -> None:
        """Raise DaemonUnreachable, with the kernel's own word, where nobody listens.

        httpx2 leaves its socket open when it cannot connect, and hides the error's number.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
            caller.settimeout(CONNECT_S)
            try:
                caller.connect(str(self._path))
            except PermissionError:
                raise DaemonUnreachable(
                    f"you may not speak to the daemon at {self._path}; it serves root and its own "
                    "user only: try sudo",
                ) from None
            except OSError as error:
                raise DaemonUnreachable(
                    f"no daemon answers at {self._path}: {error.strerror or error}",
                ) from None


def _reason(error: BaseException) -> str:
    """Return the operating system's own word, where there is one."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
