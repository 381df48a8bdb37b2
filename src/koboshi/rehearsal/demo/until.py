"""Runs a demo until it ends by itself, or until somebody says so."""

import signal
from collections.abc import Mapping

import anyio
from anyio.abc import TaskGroup

from koboshi.domain.errors import KoboshiError
from koboshi.rehearsal.demo.directory import Directory
from koboshi.rehearsal.demo.ending import Ending
from koboshi.rehearsal.demo.play import Say, play
from koboshi.rehearsal.demo.serve import serve
from koboshi.rehearsal.demo.show import showing


def until_told(
    directory: Directory, environ: Mapping[str, str], say: Say, *, serve: bool
) -> Ending | None:
    """Play the story, or serve; None when it was ended by Ctrl-C, SIGTERM or SIGHUP.

    Raises KoboshiError when it cannot be set up or comes to no end. Nothing is left of it then.
    """
    return anyio.run(_Run(directory, environ, say, serves=serve).run)


class _Run:
    def __init__(
        self, directory: Directory, environ: Mapping[str, str], say: Say, *, serves: bool
    ) -> None:
        self._directory = directory
        self._environ = environ
        self._say = say
        self._serves = serves

    async def run(self) -> Ending | None:
        ending: Ending | None = None
        errors: list[KoboshiError] = []
        try:
            async with anyio.create_task_group() as tasks:
                await tasks.start(_cancel_on_signal, tasks)
                async with showing(self._directory, self._environ) as show:
                    if self._serves:
                        await serve(show, self._say)
                    else:
                        ending = await play(show, self._say)
                tasks.cancel_scope.cancel()
        except* KoboshiError as group:
            errors.append(_first(group))  # raised in here it would be put into a group again
        if errors:
            raise errors[0]
        return ending


async def _cancel_on_signal(
    tasks: TaskGroup, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        task_status.started()
        async for _ in signals:
            tasks.cancel_scope.cancel()  # a second one changes nothing: the end takes its seconds


def _first(group: BaseExceptionGroup[KoboshiError]) -> KoboshiError:
    """Return the first error of a group: a person reads one cause at a time."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
