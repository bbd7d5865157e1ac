"""
Write what is rendered from the code into the docs; with `--check` only say what is not current.

Whole pages are rendered by modules of inboxd (`RENDERERS`). The parts of other pages that stand
between `<!-- rendered: NAME -->` and `<!-- end -->` are made here, so that a page and the code
cannot say different things.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from inboxd.readiness import EDGE_TABLE, SKIP_CODES, Ending, Gravity
from inboxd.task import EdgeOn

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).parents[1]

#: Modules that write their own files when they are run in the checkout: the schema, the reference.
RENDERERS: Final = (
    "inboxd.api.reference",
    "inboxd.array.reference",
    "inboxd.cli.completion",
    "inboxd.cli.reference",
    "inboxd.config.reference",
)

_ENDINGS: Final = {
    Ending.COMPLETED: "`completed`",
    Ending.FAILED: "`failed`",
    Ending.SKIPPED_FOR_FAILURE: "`skipped` for `dependency_failed`",
    Ending.CANCELLED: "`cancelled`, or `skipped` for `dependency_cancelled`",
    Ending.SKIPPED_FOR_CONDITION: "`skipped` for `condition`",
}

_MARKED: Final = re.compile(r"(<!-- rendered: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def edge_table() -> str:
    """Return the table by which edges are decided."""
    heads = " | ".join(f"edge on `{on}`" for on in EdgeOn)
    rows = [f"| its dependency ended | {heads} |", "|---|" + "---|" * len(EdgeOn)]
    for ending in Ending:
        cells = (_verdict(EDGE_TABLE[ending][on]) for on in EdgeOn)
        rows.append(f"| {_ENDINGS[ending]} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _verdict(gravity: Gravity) -> str:
    return "holds" if gravity is Gravity.HOLDS else f"no: `{SKIP_CODES[gravity]}`"


def layers() -> str:
    """Return the layers that import-linter keeps, top first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    contract = next(each for each in settings["contracts"] if each["type"] == "layers")
    names = (layer.replace("inboxd.", "") for layer in contract["layers"])
    return "```\n" + "\n".join(names) + "\n```\n"


def unreleased() -> str:
    """Return the fragments of `docs/changelog/`, what weighs most first."""
    kinds = {
        "breaking": "Breaking",
        "feature": "New",
        "fix": "Mended",
        "plugin": "For authors of plugins",
        "ops": "For operators",
        "doc": "Pages",
    }
    text = ""
    for kind, title in kinds.items():
        fragments = sorted((ROOT / "docs" / "changelog").glob(f"*.{kind}*.md"))
        if fragments:
            entries = "".join(fragment.read_text().strip() + "\n" for fragment in fragments)
            # CHANGELOG.md stands two directories above the fragments.
            text += f"\n### {title}\n\n{entries.replace('](../', '](docs/')}"
    return text.lstrip("\n")


PARTS: Final[dict[str, Callable[[], str]]] = {
    "edges": edge_table,
    "layers": layers,
    "unreleased": unreleased,
}


def filled(page: str) -> str:
    """Return the text of a page with its marked parts as they should be."""
    return _MARKED.sub(lambda match: f"{match[1]}{PARTS[match[2]]()}{match[3]}", page)


def main(arguments: list[str]) -> int:
    """Render, or with `--check` compare; return the exit status."""
    check = arguments == ["--check"]
    if not check:
        for module in RENDERERS:
            subprocess.run([sys.executable, "-m", module], cwd=ROOT, check=True)
    stale: list[Path] = []
    for path in (ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = path.read_text()
        if filled(text) != text:
            stale.append(path)
            if not check:
                path.write_text(filled(text))
    for path in stale:
        print(f"{path.relative_to(ROOT)}: {'not current: run make docs' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
