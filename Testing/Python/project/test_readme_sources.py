"""Every statement of README.md has a source that exists and has its figures; the rules of that list find mistakes."""

from __future__ import annotations

import pytest
import readme_sources
from readme_statements import Statement, statements

PAGE = """# Title

![A picture](a.png)

*Made by `make_it.py`, 3 mm. [More](b.md)*

**Run-in.** It has 32 structures of T1 MR (version 2). Does it work? **It** [works](c.md#d).

| model | Dice |
|---|---|
| [Brain](d.md) | 0.787 in 10 |

1. First step,
   continued.
- Took 3.8 GB

```
make demo    # segments 1 scan
```

## Next
`code 5` is no figure.
"""


def test_every_statement_of_the_readme_has_a_source_with_its_figures() -> None:
    found = statements(readme_sources.README.read_text(encoding="utf-8"))
    assert len(found) > 80
    assert list(readme_sources.problems(found, readme_sources.sources())) == []


def test_statements_are_sentences_rows_captions_and_comments() -> None:
    assert [one.masked for one in statements(PAGE)] == [
        "A picture",
        "Made by `make_it.py`, # mm.",
        "It has # structures of T1 MR (version #).",
        "It works.",
        "Brain | # in #",
        "First step, continued.",
        "Took # GB",
        "segments # scan",
        "`code 5` is no figure.",
    ]
    assert [(one.line, one.heading) for one in statements(PAGE)][-2:] == [(18, "Title"), (22, "Next")]


def test_figures_have_their_units_and_words_have_none() -> None:
    assert Statement(1, "", "T1, 3D, Apache-2.0, `7`: 0.787 in 10, 5 % and 3.8 GB.").figures() == {
        "0.787", "10", "5%", "3.8GB",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "names", "problem"),
    [
        ("Something new.", None, "no source for: Something new."),
        ("Something new.", [], "no source for: Something new."),
        ("It is.", ["Documentation/no-such-page.md"], "Documentation/no-such-page.md does not exist"),
        ("It is.", ["Documentation/results.md#nowhere"], "results.md has no heading #nowhere"),
        ("It is.", ["test_documents.py::test_nothing"], "there is no test test_documents.py::test_nothing"),
        ("It is.", ["make nothing"], "no document has the command make nothing"),
        (
            "It is 0.123.",
            ["Documentation/results.md#in-short"],
            "0.123 is in none of Documentation/results.md#in-short",
        ),
        ("It takes 32 GB.", ["Documentation/benchmarks.md#in-short"], "32GB is in none of"),
        # The page has this figure, but for another task.
        ("Fine-tuning takes 0.05.", ["Documentation/benchmarks.md#in-short"], "0.05 is in none of"),
        ("It is 1.", ["Documentation/pictures/5-stroke.png"], "1 is in none of"),
    ],
)
def test_a_mistake_is_told(text: str, names: list[str] | None, problem: str) -> None:
    one = Statement(7, "Heading", text)
    (told,) = readme_sources.problems([one], {} if names is None else {one.key: names})
    assert problem in told and told.startswith("README.md:7: ")


def test_an_entry_without_its_statement_is_told() -> None:
    (told,) = readme_sources.problems([], {("Heading", "Gone."): ["README.md"]})
    assert told == "README.md does not say this any more, below 'Heading': Gone."


def test_a_section_ends_at_the_next_heading_of_its_level() -> None:
    section = readme_sources.find("Documentation/benchmarks.md#in-short")
    assert section.startswith("## In short") and "two AMD cores" in section
    assert "Computers and conditions" not in section and "The network beside" not in section


def test_the_text_of_a_test_includes_its_cases() -> None:
    text = readme_sources.find("test_readme_sources.py::test_a_mistake_is_told")
    assert text.startswith("@pytest.mark.parametrize") and "told.startswith(" in text
