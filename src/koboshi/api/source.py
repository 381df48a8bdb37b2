"""What the API needs of the daemon."""

from dataclasses import dataclass
from typing import Protocol

from koboshi.domain.decision import Decision, Picture, Refused
from koboshi.domain.facts.world import World
from koboshi.domain.instant import Instant
from koboshi.domain.memory.state import State
from koboshi.domain.rules import Rules
from koboshi.domain.word import Word
from koboshi.ports.journal import JournalReader


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """One thing that must be well for the daemon to do its work."""

    name: str
    is_ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the daemon is."""

    is_alive: bool
    """Whether its loop still turns; a daemon that is not alive should be restarted."""
    is_acting: bool
    """Whether it would act upon a dead host now."""
    acting_reason: str
    """Why it would, or would not."""
    checks: tuple[HealthCheck, ...]
    """Ready is who passes all of them."""

    @property
    def is_ready(self) -> bool:
        """Return whether the daemon does its work."""
        return self.is_alive and all(check.is_ok for check in self.checks)


class StatusSource(Protocol):
    """The daemon, as the API sees it; every getter returns at once, from memory."""

    def state(self) -> State:
        """Return the memory, folded."""
        ...

    def world(self) -> World:
        """Return the newest picture of the cloud."""
        ...

    def rules(self) -> Rules:
        """Return what the operator decided."""
        ...

    def now(self) -> Instant:
        """Return the present moment."""
        ...

    def look(self) -> Picture:
        """Return everything judged as of now, as a decision would see it."""
        ...

    def cloud(self) -> str:
        """Return the cloud's name and region, for people."""
        ...

    def health(self) -> Health:
        """Return how the daemon is."""
        ...

    async def hear(self, word: Word, by: str) -> Decision | Refused:
        """Answer what a person says; raises JournalError when it could not be remembered."""
        ...

    def journal(self) -> JournalReader:
        """Return the journal, for timelines."""
        ...
