"""What a word comes to under the present configuration, where its value alone does not say it."""

from koboshi.domain.facts.cloud import Server
from koboshi.domain.policies.metadata import protection_denied
from koboshi.domain.policies.terms import Key, Value
from koboshi.domain.rules import LoneStop, Rules


def effect_of(key: Key, value: Value, server: Server, rules: Rules) -> str:
    """Return what follows from a word that counts; empty where its value says it all."""
    if key is Key.LONE_STOP:
        started = "it is started again, on its host" if value is LoneStop.START else "that is told"
        return f"if its guest ends, and its host did not reboot, {started}; what its user stops stays off"
    if key is not Key.HEALTH:
        return ""
    if (denied := protection_denied(server.metadata)) is not None:
        return f"it is not asked: metadata {denied} says '{server.metadata[denied].strip()[:60]}'"
    if rules.reboot_unwell:
        most = rules.reboots_an_hour
        times = "once" if most == 1 else f"{most} times"
        return f"while it does not answer, it is rebooted (HARD), {times} an hour at most"
    return "while it does not answer, that is told"
