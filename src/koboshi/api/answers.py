"""How what went wrong is answered: the error's own words, in the one shape of all errors."""

from collections.abc import Awaitable, Callable

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from koboshi.api.views import ErrorView


def answer_with(status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return a handler that answers with this status and what the error says."""

    async def answer(_: Request, error: Exception) -> Response:
        return JSONResponse(ErrorView(error=str(error)).model_dump(), status_code=status)

    return answer
