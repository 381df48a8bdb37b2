"""Everything that can go wrong, as one tree. A library's own error never leaves its adapter.

KoboshiError
├── ConfigurationError        a setting is wrong: names the place and the cure
├── CloudError                the cloud's API
│   ├── CloudUnavailable      a read got no usable answer: nothing is known, ask again later
│   ├── NotAuthorised         the credentials are refused, or lack a right
│   ├── MarkerGone            the row behind which a list should go on is not there any more
│   └── InvalidAnswer         the cloud answered something that makes no sense: do not act on it
├── CommandError              a command that changes something
│   ├── CommandRefused        certainly without effect
│   └── OutcomeUnknown        it may have had its effect: read, never repeat blindly
├── FenceError                a power device did not answer, or answered nonsense
├── JournalError              the journal cannot be read or written: stop acting
│   ├── SubjectBusy           another command is open for the same host or server
│   └── NotLeader             another daemon owns this journal
├── SafetyRefusal             a rule of the safety argument forbids the step
├── IllegalTransition         a lifecycle table has no such step: a bug, nothing was changed
└── DaemonUnreachable         no daemon answers on the socket
"""


class KoboshiError(Exception):
    """Something that Koboshi can name; its text says what, where, and the cure."""


class ConfigurationError(KoboshiError):
    """A setting is wrong; the text names the file, the key and the cure."""


class CloudError(KoboshiError):
    """The cloud's API did not serve us."""


class CloudUnavailable(CloudError):
    """A read got no usable answer (connection, time-out, 5xx): nothing is known."""


class NotAuthorised(CloudError):
    """The credentials are refused (401), or lack the right for a call (403)."""


class MarkerGone(CloudError):
    """The row behind which a list should go on is not there any more: go on behind another one."""


class InvalidAnswer(CloudError):
    """The cloud answered something that makes no sense; it must not be acted upon."""


class VersionRefused(InvalidAnswer):
    """A service does not speak the microversion that it was asked in (406)."""


class CommandError(KoboshiError):
    """A command that would have changed something did not plainly succeed."""


class CommandRefused(CommandError):
    """The command certainly had no effect: it was never sent, or was refused with a 4xx."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status of the refusal; None when the request never left this machine."""


class OutcomeUnknown(CommandError):
    """The command may have had its effect (5xx, time-out, unreadable answer): read, then judge."""


class FenceError(KoboshiError):
    """A power device did not answer, or answered nonsense; says nothing about the power."""


class JournalError(KoboshiError):
    """The journal cannot be read or written; whoever acts must stop acting."""


class SubjectBusy(JournalError):
    """Another command is open for the same host or server."""


class NotLeader(JournalError):
    """Another daemon owns this journal, or took it over."""


class SafetyRefusal(KoboshiError):
    """A rule of the safety argument forbids the step; the text names the rule's reason."""


class IllegalTransition(KoboshiError):
    """A lifecycle table has no such step; nothing was changed."""


class DaemonUnreachable(KoboshiError):
    """No daemon answers on the socket."""
