"""Every problem in docs/known-problems.md has an answer, and every test named there exists."""

from __future__ import annotations

from tests.known_problems import PAGE, PROBLEMS, TESTS, named_tests, page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run nox -s pages"


def test_every_problem_has_an_answer() -> None:
    assert [problem["number"] for problem in PROBLEMS] == list(range(1, 143))
    assert [problem["number"] for problem in PROBLEMS if not problem.keys() & {"tests", "answer", "open"}] == []


def test_what_still_happens_elsewhere_is_shown_by_a_test() -> None:
    assert [problem["number"] for problem in PROBLEMS if "still_happens" in problem and "tests" not in problem] == []


def test_every_test_that_is_named_exists() -> None:
    named = {test for problem in PROBLEMS for test in problem.get("tests", [])}
    missing = [test for test in sorted(named) if not _exists(test)]
    assert missing == []


def _exists(test: str) -> bool:
    path, name = test.split("::")
    return (TESTS / path).is_file() and name in named_tests(TESTS / path)
