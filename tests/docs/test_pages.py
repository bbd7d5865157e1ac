"""What the pages say is there, and what is rendered from the code is current."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from .pages import ROOT, Page, all_pages, page

PAGES = all_pages()
DECISIONS = [each for each in PAGES if re.match(r"docs/adr/\d{4}-", each.name)]


def by_name(value: object) -> str | None:
    """Show a page by its name in the names of tests."""
    return value.name if isinstance(value, Page) else None


def leads_somewhere(each: Page, link: str) -> bool:
    """Whether a relative link of a page leads to what is in the checkout."""
    name, _, anchor = link.partition("#")
    target = (each.path.parent / name).resolve() if name else each.path
    if not target.is_relative_to(ROOT) or not target.exists():
        return False
    return not anchor or (target.suffix == ".md" and anchor in page(target).anchors)


@pytest.mark.parametrize("each", PAGES, ids=by_name)
def test_every_link_leads_to_a_file_and_a_heading(each: Page) -> None:
    links = [link for link in each.links if not link.startswith(("https://", "mailto:"))]
    broken = [link for link in links if not leads_somewhere(each, link)]

    assert broken == []


def test_every_page_of_the_docs_can_be_reached_from_the_index() -> None:
    found = {(ROOT / "docs" / "index.md").resolve()}
    queue = list(found)
    while queue:
        at = queue.pop()
        for link in page(at).links:
            target = (at.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target not in found and target.exists():
                found.add(target)
                queue.append(target)
    pages = {each.path.resolve() for each in PAGES if each.name.startswith("docs/")}
    # Fragments are for CHANGELOG.md, not pages.
    unreachable = {str(path.relative_to(ROOT)) for path in pages - found}

    assert {name for name in unreachable if not name.startswith("docs/changelog/")} == set()


def test_what_is_rendered_from_the_code_is_current() -> None:
    check = subprocess.run(
        [sys.executable, "docs/render.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (check.stdout, check.returncode) == ("", 0)


def test_decisions_are_numbered_without_a_gap_and_listed() -> None:
    numbers = [int(each.path.name[:4]) for each in DECISIONS]
    listed = [link for link in page(ROOT / "docs/adr/README.md").links if link[:4].isdigit()]

    assert numbers == list(range(1, len(DECISIONS) + 1))
    assert listed == [each.path.name for each in DECISIONS]


@pytest.mark.parametrize("each", DECISIONS, ids=by_name)
def test_a_decision_says_its_four_things_in_under_a_page(each: Page) -> None:
    headings = re.findall(r"^## (.+)$", each.text, re.MULTILINE)
    first_line = each.text.splitlines()[0]

    assert first_line.startswith(f"# {each.path.name[:4]}. ")
    assert headings[:4] == [
        "Context",
        "Decision",
        "Consequences",
        "What would change our mind",
    ]
    assert headings[4:] in ([], ["Tests"])
    assert len(each.text.split()) <= 650


@pytest.mark.parametrize("each", DECISIONS, ids=by_name)
def test_a_decision_names_tests_that_are_there(each: Page) -> None:
    named = set(re.findall(r"(?:plugins/[\w-]+/)?tests/[\w/]+\.py", each.text))
    there = {name for name in named if (ROOT / name).is_file()}

    assert named != set()
    assert there == named


def test_every_dependency_has_its_decision() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text()
    listed = re.search(r"^dependencies = \[(.*?)^\]", pyproject, re.MULTILINE | re.DOTALL)
    assert listed is not None
    names = set(re.findall(r'^    "([a-z-]+[a-z0-9])', listed[1], re.MULTILINE))
    decisions = "\n".join(each.text.lower() for each in DECISIONS)
    without = {name for name in names if name not in decisions}

    assert without == set()


@pytest.mark.parametrize("each", PAGES, ids=by_name)
def test_every_make_target_that_is_named_exists(each: Page) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = "\n".join(block.text for block in each.blocks("sh", "console", "bash", ""))
    inline = "\n".join(re.findall(r"`(make [^`]+)`", each.text))
    named = set(re.findall(r"^(?:\$ )?make ([a-z-]+)", f"{code}\n{inline}", re.MULTILINE))

    assert named - targets == set()
