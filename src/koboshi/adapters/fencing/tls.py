"""How a BMC's certificate is judged; most BMCs sign their own."""

import hashlib
import hmac
import re
import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any

from koboshi.domain.errors import ConfigurationError


@lru_cache(maxsize=64)
def context_for(
    *,
    verify: bool,
    ca_file: Path | None,
    fingerprint: str | None,
) -> ssl.SSLContext:
    """Return the TLS settings; equal ones are shared, because thousands of hosts have them."""
    try:
        if fingerprint is not None:
            return _pinned(fingerprint)
        if not verify:
            return _unverified()
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"ca_file = {ca_file}: no certificates can be read from it ({error.strerror}); "
            "it must be a PEM file that Koboshi's user may read",
        ) from None


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _pinned(fingerprint: str) -> ssl.SSLContext:
    """Trust exactly one certificate, whoever signed it, before any password is sent to it."""
    wanted = re.sub(r"[^0-9a-f]", "", fingerprint.lower().removeprefix("sha256"))
    if len(wanted) != hashlib.sha256().digest_size * 2:
        raise ConfigurationError(
            f"fingerprint = {fingerprint!r}: not a SHA-256 in hexadecimal; see "
            "`openssl x509 -noout -fingerprint -sha256`",
        )

    class Pinned(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            certificate: Any = self.getpeercert(binary_form=True)
            found = hashlib.sha256(certificate or b"").hexdigest()
            if not hmac.compare_digest(found, wanted):
                raise ssl.SSLCertVerificationError(f"its certificate's SHA-256 is {found}")

    context = _unverified()
    context.sslobject_class = Pinned
    return context
