"""Words in the reader's language."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from asyncflow.core.schedule_words import SPANS
from asyncflow.core.sentence import Sentence, told
from asyncflow.core.states import RunState, RunType, TaskState
from asyncflow.core.timetable import CronIntervalTimetable, describe
from asyncflow.errors import NotAccepted, NotFound
from asyncflow.web import (
    backfill_view,
    connection_view,
    dag_list_view,
    dataset_view,
    dependency_view,
    done,
    named_pages,
    preferences,
    templating,
    variable_view,
)
from asyncflow.web.i18n import LANGUAGES, Language, words
from asyncflow.web.templating import STATIC

ROOT = STATIC.parent
_TEXT = r"""("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def said() -> set[str]:
    """Every text that a template or a page gives to the reader's language."""
    found: set[str] = set()
    for path in [*ROOT.glob("templates/**/*.html"), *Path(templating.__file__).parent.glob("*.py")]:
        text = path.read_text()
        for one in re.findall(rf"\b(?:_|Column)\(\s*{_TEXT}", text):
            found.add(ast.literal_eval(one))
        for one, many in re.findall(rf"\b_\.n\(\s*{_TEXT},\s*{_TEXT}", text):
            found |= {ast.literal_eval(one), ast.literal_eval(many)}
    return found


def calls(*parts: str) -> list[tuple[str, ast.Call]]:
    """Every call in the sources of these parts, with where it stands."""
    return [call for part in parts for path in sorted((ROOT / "asyncflow").glob(part)) for call in calls_in(path)]


@cache
def calls_in(path: Path) -> list[tuple[str, ast.Call]]:
    found = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return [(f"{path.relative_to(ROOT)}:{node.lineno}", node) for node in found]


def called(call: ast.Call, *names: str) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in names


def text_of(call: ast.Call) -> str | None:
    """The text that a call begins with, None for one that is only known when it runs."""
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


#: who may be asked to say something anew
SPEAKERS = ("core/*.py", "engine/*.py", "executors/*.py", "web/*.py", "errors.py")
#: refusals that a page may show; those of DAG files and of the start of a server never come from within a page
REFUSALS = ("InvalidInput", "Conflict", "NotFound", "ChildFailed")
#: begins before there are pages
NO_PAGES_YET = "asyncflow/engine/serve.py"


def sentences() -> set[str]:
    """Every sentence that the engine can be asked to say anew."""
    spans = {text for texts in SPANS.values() for text in texts}
    found = {text_of(call) for where, call in calls(*SPEAKERS) if called(call, "Sentence")}
    return spans | {text for text in found if text}


def refusals() -> set[str]:
    """Every text of a refusal."""
    found = {text_of(call) for where, call in calls(*SPEAKERS) if called(call, *REFUSALS) and NO_PAGES_YET not in where}
    bases = {text_of(call) for _, call in calls("errors.py") if ast.unparse(call.func) == "super().__init__"}
    return {text for text in found | bases if text}


def test_a_refusal_is_a_text_with_blanks_and_not_one_that_was_filled_in_before() -> None:
    """Else no other language could say it. A text that is a sentence already goes through as it is."""
    made = [(where, call) for where, call in calls(*SPEAKERS[:-1]) if called(call, *REFUSALS)]
    filled = [where for where, call in made if call.args and isinstance(call.args[0], ast.JoinedStr | ast.BinOp)]
    assert len(made) > 100
    assert [where for where in filled if NO_PAGES_YET not in where] == []


def test_pages_ask_errors_for_what_they_are_made_of() -> None:
    """`str(error)` is the English text only; `told(error)` can be said anew."""
    texts = [where for where, call in calls("web/*.py") if called(call, "str") and ast.unparse(call) == "str(error)"]
    assert texts == []


def named() -> set[str]:
    """Texts that reach the language by a name: states, columns, choices."""
    states = {str(state).replace("_", " ") for state in (*TaskState, *RunState, *RunType) if state != "none"}
    columns = set(dag_list_view.TABS.values())
    columns |= {*dataset_view.TABS, *dependency_view.KINDS.values()}
    states |= backfill_view.LOOKS.keys()
    columns |= {*connection_view.FIELDS.values()}
    columns |= {*variable_view.ON_CONFLICT.values(), "Installed", "Package is not installed"}
    columns |= {*done.NAMED.values(), *(text for texts in done.COUNTED.values() for text in texts)}
    columns |= {kind.label for kind in named_pages.KINDS.values()}
    choices = {*preferences.ZONES.values(), *preferences.THEMES.values(), *templating.SECTIONS}
    return states | columns | choices | {f"{{n}} {unit}" for unit in ("s", "min", "h", "d")}


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_every_text_is_translated_with_the_same_blanks(code: str) -> None:
    known = words(code)
    assert sorted((said() | named() | sentences() | refusals()) - known.keys()) == []
    blanks = re.compile(r"\{\w+(?:!r)?\}")
    wrong = {text for text, there in known.items() if set(blanks.findall(text)) != set(blanks.findall(there))}
    assert wrong == set()


def written() -> set[str]:
    """Every text that stands in a template or in the code, whatever becomes of it."""
    found = {phrase.phrase for phrase in HTTPStatus}
    for path in ROOT.glob("templates/**/*.html"):
        found |= {one[1:-1].replace("\\'", "'") for one in re.findall(_TEXT, path.read_text())}
    for path in (ROOT / "asyncflow").glob("**/*.py"):
        found |= {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
    return found | {text.replace("_", " ") for text in found if isinstance(text, str)}


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_no_text_is_translated_that_nobody_says(code: str) -> None:
    assert sorted(words(code).keys() - said() - named() - sentences() - refusals() - written()) == []


@pytest.mark.parametrize(
    ("seconds", "english", "korean"),
    [
        (None, "", ""),
        (0.4, "0.40 s", "0.40초"),
        (59.97, "60.0 s", "60.0초"),
        (200, "3 min 20 s", "3분 20초"),
        (7200, "2 h", "2시간"),
        (276000, "3 d 4 h", "3일 4시간"),
    ],
)
def test_durations(seconds: float | None, english: str, korean: str) -> None:
    assert (Language("en").duration(seconds), Language("ko").duration(seconds)) == (english, korean)


@pytest.mark.parametrize(
    ("seconds", "english", "korean"),
    [(0.5, "now", "지금"), (7300, "in 2 h", "2시간 후"), (-90, "1 min ago", "1분 전"), (86400 * 3, "in 3 d", "3일 후")],
)
def test_how_far_away(seconds: float, english: str, korean: str) -> None:
    then = NOW + timedelta(seconds=seconds)
    assert (Language("en").relative(then, NOW), Language("ko").relative(then, NOW)) == (english, korean)


def test_one_and_many() -> None:
    english = Language("en")
    assert [english.n("{n} copy", "{n} copies", n) for n in (0, 1, 2000)] == ["0 copies", "1 copy", "2,000 copies"]


def test_an_unknown_text_stays_english() -> None:
    assert Language("ko")("No such text {n}", n=1) == "No such text 1"


def test_a_sentence_of_the_engine_is_said_anew_with_all_that_is_in_it() -> None:
    states = (Sentence("{task} ({state})", task="load", state=TaskState.UP_FOR_RETRY), Sentence("not there yet"))
    text = Sentence("Its trigger rule {rule} waits for upstream {names}.", rule="all_success", names=states)
    assert text == "Its trigger rule all_success waits for upstream load (up_for_retry), not there yet."
    assert Language("en").said(text) == text
    assert (
        Language("ko").said(text)
        == "트리거 규칙 all_success에 따라 상위 태스크 load(재시도 대기), 아직 없음을(를) 기다립니다."
    )
    assert Language("ko").said("any other text") == "any other text"


def test_a_refusal_is_said_anew_with_its_kind_and_what_is_near() -> None:
    refusal = told(NotFound(Sentence("run of DAG {dag!r} named", dag="etl"), "dalyi", ["daily"]))
    assert Language("ko").said(refusal) == "DAG 'etl'의 실행 'dalyi'을(를) 찾을 수 없습니다. 'daily'을(를) 찾으셨나요?"
    assert (
        Language("ko").said(told(NotAccepted("state", "done", (TaskState.FAILED, TaskState.SUCCESS))))
        == "state='done': 쓸 수 있는 값은 failed, success입니다."
    )


def test_braces_in_a_value_are_no_blanks() -> None:
    text = Sentence("It waits for the file {file}.", file="{0}{x}")
    assert (text, Language("ko").said(text)) == ("It waits for the file {0}{x}.", "파일 {0}{x}을(를) 기다립니다.")


@pytest.mark.parametrize(
    ("expression", "english", "korean"),
    [
        ("30 2 * * *", "Every day at 02:30", "매일 02:30"),
        ("*/5 * * * *", "Every 5 minutes", "5분마다"),
        ("15 * * * *", "Every hour at minute 15", "매시간 15분"),
        ("0 6 1 1,7 *", "At 06:00 on day 1 of the month in January and July", "1월, 7월 매월 1일 06:00"),
        ("0 6,18 * * 1-5", "At 06:00 and 18:00 on Monday to Friday", "월요일–금요일 06:00, 18:00"),
    ],
)
def test_schedules_in_words(expression: str, english: str, korean: str) -> None:
    words = describe(CronIntervalTimetable(expression=expression))
    assert (words, Language("en").said(words), Language("ko").said(words)) == (english, english, korean)


def test_moments_are_told_in_the_zone_of_the_reader_within_sentences_too() -> None:
    when = datetime(2026, 1, 1, 23, 30, tzinfo=UTC)
    said = Sentence("The run starts at {time}.", time=when)
    assert said == "The run starts at 2026-01-01 23:30:00 UTC."
    seoul = Language("en", ZoneInfo("Asia/Seoul"))
    assert seoul.said(said) == "The run starts at 2026-01-02 08:30:00 KST."
    assert (seoul.moment(when.isoformat()), seoul.moment(None)) == ("2026-01-02 08:30:00 KST", "")
    assert Language("en").said(said) is said
