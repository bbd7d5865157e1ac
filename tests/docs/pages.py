"""The pages of the project, and what stands in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["ROOT", "Block", "Page", "all_pages", "page"]

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^ *```$", re.M | re.S)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(?P<text>.+?) *$", re.M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block: its language as it is written ("" for none), and its text."""

    language: str
    text: str
    #: Of its first line inside the fence, from 1.
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One Markdown file."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """The path from the root of the checkout."""
        return str(self.path.relative_to(ROOT))

    def blocks(self, *languages: str) -> list[Block]:
        """Return the fenced blocks in one of these languages, in order."""
        return [
            Block(
                language=match["language"],
                text=match["text"],
                line=self.text.count("\n", 0, match.start()) + 2,
            )
            for match in _FENCE.finditer(self.text)
            if match["language"] in languages
        ]

    @property
    def links(self) -> list[str]:
        """The targets of all links outside fenced blocks and code."""
        prose = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", self.text))
        return [match["target"] for match in _LINK.finditer(prose)]

    @property
    def anchors(self) -> set[str]:
        """The anchors of its headings, as GitHub makes them."""
        headings = _HEADING.finditer(_FENCE.sub("", self.text))
        return {
            re.sub(r"[^\w\- ]", "", match["text"].lower()).replace(" ", "-") for match in headings
        }


@cache
def page(path: Path) -> Page:
    """Return the page in *path*."""
    return Page(path=path, text=path.read_text())


def all_pages() -> list[Page]:
    """Return every page of the checkout, by path."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "inbox" / "README.md"]
    found += (ROOT / "inbox" / "examples").rglob("*.md")
    found += (ROOT / "plugins").glob("*/*.md")
    return [page(path) for path in sorted(found)]
