"""A BMC's certificate is verified, pinned, or knowingly not looked at."""

import hashlib
import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from koboshi.adapters.fencing import BmcAccess, RedfishFence
from koboshi.domain.errors import ConfigurationError, FenceError
from koboshi.domain.facts.cloud import Power
from tests.unit.adapters.loopback import LoopbackServer, Reply

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfSigned:
    """A BMC's own certificate."""

    file: Path
    fingerprint: str
    context: ssl.SSLContext


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> SelfSigned:
    """Make a certificate as a BMC does: signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bmc")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("bmc") / "bmc.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    digest = hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()
    return SelfSigned(file=file, fingerprint=digest, context=context)


async def read(certificate: SelfSigned, **how: object) -> tuple[Power | str, int]:
    """Return what was read, or the error, and how many requests the BMC saw."""
    bmc = LoopbackServer(lambda _: Reply(body={"PowerState": "Off"}), tls=certificate.context)
    async with bmc:
        access = BmcAccess(
            host="cmp1",
            url=bmc.url,
            username="admin",
            password=SecretStr("secret"),
            system_id="1",
            **how,  # pyright: ignore[reportArgumentType] - the tests' own keywords
        )
        async with RedfishFence(access) as fence:
            try:
                return await fence.power_state(), len(bmc.seen)
            except FenceError as error:
                return str(error), len(bmc.seen)


async def test_an_unknown_certificate_gets_no_password(certificate: SelfSigned) -> None:
    answer, seen = await read(certificate)
    assert "CERTIFICATE_VERIFY_FAILED" in answer
    assert seen == 0


async def test_a_ca_file_vouches(certificate: SelfSigned) -> None:
    assert await read(certificate, ca_file=certificate.file) == (Power.OFF, 1)


async def test_verification_can_be_waived(certificate: SelfSigned) -> None:
    assert await read(certificate, verify_tls=False) == (Power.OFF, 1)


async def test_a_pinned_certificate_needs_no_ca(certificate: SelfSigned) -> None:
    pairs = [certificate.fingerprint[n : n + 2].upper() for n in range(0, 64, 2)]
    assert await read(certificate, fingerprint=":".join(pairs)) == (Power.OFF, 1)


async def test_another_certificate_than_the_pinned_one_gets_no_password(
    certificate: SelfSigned,
) -> None:
    answer, seen = await read(certificate, fingerprint="0" * 64)
    assert certificate.fingerprint in str(answer)
    assert seen == 0


async def test_wrong_settings_are_named(certificate: SelfSigned, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not a SHA-256"):
        await read(certificate, fingerprint="abc")
    with pytest.raises(ConfigurationError, match=r"ca_file = .*none\.pem"):
        await read(certificate, ca_file=tmp_path / "none.pem")
    (tmp_path / "odd.pem").write_text("nothing")
    with pytest.raises(ConfigurationError, match=r"ca_file = .*odd\.pem"):
        await read(certificate, ca_file=tmp_path / "odd.pem")
