import re
from pathlib import Path

import pytest

from scripts.language import Finding, check_file, check_subjects, read_words

WORDS = [(re.compile(r"\bnobody\b"), "who it is")]
LONG = " ".join(["word"] * 26)


def faults(name: str, source: str) -> list[Finding]:
    return list(check_file(name, source, WORDS))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("page.md", "\nBut nobody reads it.\n"),
        ("code.py", "\n# But nobody reads it.\n"),
        ("code.py", '\ndef f():  """But nobody reads it."""\n'),
        ("code.py", '\nx = f"But nobody reads {1}"\n'),
        ("main.tf", '\n  description = "But nobody reads it"\n'),
        ("main.tf", "\n  # But nobody reads it.\n"),
        ("page.tsx", "\n// But nobody reads it.\n"),
        ("ci.yml", "\n# But nobody reads it.\n"),
    ],
)
def test_word_is_found_with_its_line(name: str, source: str) -> None:
    found = faults(name, source)

    assert found == [Finding(f"{name}:2", "'nobody': write who it is")]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("page.md", "`nobody` is a user.\n"),
        ("page.md", "```sh\nsu nobody\n```\n"),
        ("code.py", "nobody = 1\n"),
        ("code.py", "x = 'nobody'\n"),
    ],
)
def test_word_in_code_is_not_a_fault(name: str, source: str) -> None:
    assert faults(name, source) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("page.md", f"{LONG}.\n"),
        ("page.md", f"| cell | {LONG} |\n"),
        ("code.py", f'"""{LONG}."""\n'),
        ("code.py", f"# {LONG[:60]}\n# {LONG[60:]}.\n"),
        ("main.tf", f"x = <<-EOT\n  {LONG}.\nEOT\n"),
    ],
)
def test_long_sentence_is_found(name: str, source: str) -> None:
    [found] = faults(name, source)

    assert "has 26 words: at most 25 in a sentence" in found.fault


@pytest.mark.parametrize(
    "source",
    [
        "One. " * 30,
        "* one two three four five six seven\n" * 5,
        f"See [{LONG[:40]}](https://example.com/{'-'.join(LONG.split())}).",
        "`" + LONG + "` is code.",
        "name: one two three four five six seven\n" * 5,
        "root\n" + "├── one two three four five six seven\n" * 5,
        "checkov:skip=CKV_1: one two three four five six seven " * 5,
    ],
)
def test_short_sentences_pass(source: str) -> None:
    assert faults("page.md", source) == []


@pytest.mark.parametrize("name", ["test_given_a_when_b_then_c", "test_" + "a" * 56])
def test_test_name_outside_the_pattern_is_found(name: str) -> None:
    found = faults("tests/test_it.py", f"\ndef {name}():\n    pass\n")

    assert [one.place for one in found] == ["tests/test_it.py:2"]


def test_subject_of_a_commit_is_at_most_72_characters() -> None:
    log = f"abc {'a' * 72}\ndef {'a' * 73}\n"

    assert list(check_subjects(log)) == [
        Finding("def", "the subject has 73 characters: at most 72")
    ]


def test_subject_of_githubs_merge_of_a_pull_request_is_allowed() -> None:
    assert list(check_subjects(f"abc Merge {'a' * 40} into {'b' * 40}\n")) == []


@pytest.mark.parametrize(
    ("text", "forbidden"),
    [
        ("Nobody has it.", True),
        ("It is no file.", True),
        ("It is no longer a file.", False),
        ("There is no file.", False),
        ("the deed of the sweep", True),
    ],
)
def test_list_of_words_is_applied(text: str, forbidden: bool) -> None:
    words = read_words(Path("language.toml"))

    assert any(pattern.search(text) for pattern, _ in words) == forbidden
