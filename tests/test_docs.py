"""The documentation says what the code does, wherever that can be compared."""

from __future__ import annotations

import re
import runpy
from dataclasses import fields
from pathlib import Path

import pytest

from asyncflow.config import Settings
from asyncflow.core.states import TaskState

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def sections(page: Path) -> dict[str, str]:
    """Text under each second-level heading."""
    parts = re.split(r"^## (.+)$", page.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_setting_has_its_section_in_the_order_of_the_code() -> None:
    assert list(sections(DOCS / "settings.md")) == [item.name for item in fields(Settings)]


@pytest.mark.parametrize("item", fields(Settings), ids=lambda item: item.name)
def test_a_setting_is_documented_with_its_default_and_its_airflow_name(item: object) -> None:
    name, default = item.name, item.default  # type: ignore[attr-defined]
    text = sections(DOCS / "settings.md")[name]
    shown = str(default).lower() if isinstance(default, bool) else default
    assert (f"Default `{shown}`" if shown != "" else "Default empty") in text
    airflow = item.metadata["airflow"]  # type: ignore[attr-defined]
    assert re.findall(r"`(AIRFLOW__\w+)`", text) == (
        [f"AIRFLOW__{airflow.replace('.', '__').upper()}"] if airflow else []
    )


def test_the_state_diagram_is_the_transition_table() -> None:
    diagram = runpy.run_path(str(ROOT / "scripts" / "state_diagram.py"))["diagram"]()
    assert diagram in (DOCS / "concepts.md").read_text(), (
        "run scripts/state_diagram.py and put its output in concepts.md"
    )


def test_every_task_state_is_explained() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (DOCS / "concepts.md").read_text(), flags=re.MULTILINE)
    assert rows == [state.value for state in sorted(TaskState, key=lambda s: rows.index(s.value))]
    assert len(rows) == len(TaskState)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        other = (page.parent / file).resolve() if file else page
        assert other.exists(), target
        assert not anchor or anchor in anchors(other), target


def test_every_page_can_be_reached() -> None:
    linked = set()
    for page in PAGES:
        linked |= {(page.parent / name).resolve() for name in re.findall(r"\]\(([^)#\s]+\.md)", page.read_text())}
    assert [page for page in PAGES if page not in linked and page != DOCS / "README.md"] == []


def test_a_decision_says_how_to_recognise_its_violation() -> None:
    pages = sorted((DOCS / "decisions").glob("0*.md"))
    assert pages
    for number, page in enumerate(pages, 1):
        text = page.read_text()
        assert page.name.startswith(f"{number:04d}-")
        assert text.startswith(f"# {number}. ")
        assert text.index("**Context.**") < text.index("**Decision.**") < text.index("**A change violates this when**")


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_every_picture_is_there_and_small(page: Path) -> None:
    for name in re.findall(r"(?:src|srcset)=\"([^\"]+)\"|!\[[^\]]*\]\(([^)]+)\)", page.read_text()):
        picture = page.parent / "".join(name)
        assert picture.is_file(), f"{picture}: scripts/screenshots.py makes it"
        assert picture.stat().st_size < 200_000
