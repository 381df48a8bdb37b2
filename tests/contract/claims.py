"""Every claim of the suite, and the page that lists them.

`python -m tests.contract.claims` writes the list into README.md; a test holds it to that.
"""

from pathlib import Path

from tests.contract.scenes import answers, daily, power_device, power_loss, trouble
from tests.contract.stage import Scene

SCENES: tuple[Scene, ...] = (
    answers.SCENE,
    power_device.SCENE,
    daily.SCENE,
    power_loss.SCENE,
    trouble.SCENE,
)
CLAIMS = tuple((scene.name, claim) for scene in SCENES for claim in scene.claims)
README = Path(__file__).with_name("README.md")
BEGIN = "<!-- claims: written by python -m tests.contract.claims -->"


def listed() -> str:
    """Return the list of claims."""
    parts: list[str] = []
    for scene in SCENES:
        said = (scene.play.__doc__ or "").strip().rstrip(".")
        parts.append(f"### {scene.name}\n\n{said}.\n")
        parts.append("\n".join(f"- `{name}`: {claim}" for name, claim in scene.claims.items()))
        parts.append("")
    return "\n".join(parts)


def page() -> str:
    """Return what README.md should be: its own words, and the list."""
    return f"{README.read_text().partition(BEGIN)[0]}{BEGIN}\n\n{listed()}"


if __name__ == "__main__":
    README.write_text(page())
