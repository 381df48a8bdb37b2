"""Witnesses at second hand: Prometheus, and the messages of kernels that crashed."""

from koboshi.adapters.hearsay.kdump import KdumpListener, KdumpTrust, listen
from koboshi.adapters.hearsay.prometheus import Prometheus, PrometheusAccess

__all__ = ["KdumpListener", "KdumpTrust", "Prometheus", "PrometheusAccess", "listen"]
