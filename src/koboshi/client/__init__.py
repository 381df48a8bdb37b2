"""The typed client of Koboshi's own HTTP API."""

from koboshi.client.client import ApiClient, ApiError

__all__ = ["ApiClient", "ApiError"]
