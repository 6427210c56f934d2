"""Check the language of texts, names of tests and commit subjects.

`language.toml` has the words. CONTRIBUTING.md, "How we write", has the rules.
"""

import ast
import io
import re
import subprocess
import tokenize
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from scripts.cli import start

ROOT = Path(__file__).resolve().parent.parent
LONGEST_SENTENCE = 25  # words
LONGEST_SUBJECT = 72
LONGEST_TEST_NAME = 60
# Older commits followed older rules. Without a time, Git would take the present time of that day.
SUBJECTS_SINCE = "2026-11-30T17:00:00Z"
# GitHub makes this commit for a pull request; a shallow clone does not show that it is a merge.
_MERGE_OF_A_PULL_REQUEST = re.compile(r"Merge [0-9a-f]{40} into [0-9a-f]{40}")
_END_OF_SENTENCE = re.compile(
    # A full stop; an empty line; the next item of a list or tree, row, heading, or cell.
    r"(?<=[.!?])[)\"'”*_]*\s+|\n\s*\n|\n\s*(?=[-*|>#├└│]|\d+\.\s)|\s\|\s"
    # `name: meaning` at the start of a line; a linter's directive.
    r"|\n\s*(?=[\w.`, ]+: )|\s(?=checkov:skip=)"
)
_WORD = re.compile(r"[A-Za-zÀ-ÿ0-9][\w'./:@%+-]*")
_CODE_BLOCK = re.compile(r"^( *)(```|~~~).*?^\1\2 *$", re.M | re.S)
_INLINE = (
    (re.compile(r"``?[^`]+``?"), "code"),
    (re.compile(r"!?\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"<!--.*?-->", re.S), ""),
    (re.compile(r"https?://\S+"), "address"),
    (re.compile(r"\$\{[^{}]*\}"), "code"),
)
_SUFFIXES = frozenset(
    {"", ".hcl", ".json", ".md", ".py", ".sh", ".tf", ".toml", ".ts", ".tsx", ".yaml", ".yml"}
)
# Texts by other authors and generated texts.
_NOT_OURS = re.compile(
    r"requirements/|language\.toml|LICENSE|.*/fixtures/|.*lock\.json|.*\.lock\.|tests/references/"
    r"|tests/unit/scripts/test_language\.py"
)


@dataclass(frozen=True)
class Text:
    """A piece of text that people read.

    Attributes:
        line: where it begins.
        text: the text.
        prose: whether the length of its sentences counts.
    """

    line: int
    text: str
    prose: bool = True


@dataclass(frozen=True, order=True)
class Finding:
    """One place that breaks a rule.

    Attributes:
        place: `<file>:<line>`, or a commit.
        fault: what is wrong, and what to write.
    """

    place: str
    fault: str


type Words = list[tuple[re.Pattern[str], str]]


def read_words(path: Path) -> Words:
    """Read the forbidden words, each with its replacement."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))["words"]
    return [
        # A line may end between two words.
        (re.compile(rf"(?<![\w-])(?:{word})(?![\w-])".replace(" ", r"\s+"), re.IGNORECASE), use)
        for word, use in table.items()
    ]


def texts_of(path: Path, source: str) -> Iterator[Text]:
    """Yield the texts of a file that people read."""
    match path.suffix:
        case ".md":
            blank = _CODE_BLOCK.sub(lambda block: "\n" * block[0].count("\n"), source)
            yield Text(1, blank)
        case ".py":
            yield from _python(source)
        case ".tf" | ".hcl":
            yield from _terraform(source)
        case _:
            yield from _comments(source, "//" if path.suffix.startswith(".ts") else "#")
            # Titles, descriptions and texts of pages.
            yield Text(1, source, prose=False)


def _python(source: str) -> Iterator[Text]:
    comment: list[str] = []
    first = last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or re.match(r"#(!| noqa| type:)", token.string):
            continue
        if comment and token.start[0] != last + 1:
            yield Text(first, "\n".join(comment))
            comment = []
        first = first if comment else token.start[0]
        last = token.start[0]
        comment.append(token.string.lstrip("# "))
    if comment:
        yield Text(first, "\n".join(comment))
    tree = ast.parse(source)
    joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    inner = {id(part) for node in joined for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            yield from _literal(node.lineno, node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = (one.value if isinstance(one, ast.Constant) else "X" for one in node.values)
            yield from _literal(node.lineno, "".join(str(part) for part in parts))


def _literal(line: int, text: str) -> Iterator[Text]:
    if " " in text:
        # A list of names or a template has no full stop.
        yield Text(line, text, prose=text.rstrip().endswith("."))


def _terraform(source: str) -> Iterator[Text]:
    yield from _comments(source, "#")
    for found in re.finditer(r"<<-?(\w+)\n(.*?)\n\s*\1\b", source, re.S):
        yield Text(source.count("\n", 0, found.start()) + 2, found[2])
    for found in re.finditer(r'"((?:[^"\\\n]|\\.)* (?:[^"\\\n]|\\.)*)"', source):
        yield Text(source.count("\n", 0, found.start()) + 1, found[1])


def _comments(source: str, mark: str) -> Iterator[Text]:
    comment: list[str] = []
    first = 0
    for number, line in enumerate([*source.splitlines(), ""], 1):
        if line.strip().startswith(mark) and not line.startswith("#!"):
            first = first if comment else number
            comment.append(line.strip().lstrip(mark + " "))
        elif comment:
            yield Text(first, "\n".join(comment))
            comment = []


def check_text(text: Text, words: Words) -> Iterator[tuple[int, str]]:
    """Yield the faults of a text, each with its line."""
    plain = text.text
    for pattern, instead in _INLINE:
        plain = pattern.sub(partial(_shortened, instead=instead), plain)
    for pattern, use in words:
        for found in pattern.finditer(plain):
            yield text.line + plain.count("\n", 0, found.start()), f"'{found[0]}': write {use}"
    at = 0
    for sentence in _END_OF_SENTENCE.split(plain) if text.prose else ():
        at = plain.index(sentence, at)
        length = len(_WORD.findall(sentence))
        if length > LONGEST_SENTENCE:
            start_of = " ".join(sentence.split()[:6])
            yield (
                text.line + plain.count("\n", 0, at),
                f"'{start_of} …' has {length} words: at most {LONGEST_SENTENCE} in a sentence",
            )


def _shortened(found: re.Match[str], instead: str) -> str:
    text = found.expand(instead)
    # Keep the line numbers unchanged.
    return text + "\n" * (found[0].count("\n") - text.count("\n"))


def check_names(source: str) -> Iterator[tuple[int, str]]:
    """Yield names of tests that are too long or in the old form."""
    for found in re.finditer(r"^\s*(?:async )?def (test_\w+)", source, re.M):
        line = source.count("\n", 0, found.start(1)) + 1
        if len(found[1]) > LONGEST_TEST_NAME:
            yield line, f"{found[1]}: at most {LONGEST_TEST_NAME} characters"
        elif found[1].startswith("test_given"):
            yield line, f"{found[1]}: write test_<subject>_<result>[_when_<condition>]"


def check_subjects(log: str) -> Iterator[Finding]:
    """Yield commit subjects that are too long (lines `<hash> <subject>`)."""
    for line in log.splitlines():
        commit, _, subject = line.partition(" ")
        if len(subject) > LONGEST_SUBJECT and not _MERGE_OF_A_PULL_REQUEST.fullmatch(subject):
            fault = f"the subject has {len(subject)} characters: at most {LONGEST_SUBJECT}"
            yield Finding(commit, fault)


def check_file(name: str, source: str, words: Words) -> Iterator[Finding]:
    """Yield all faults of one file."""
    faults = [fault for text in texts_of(Path(name), source) for fault in check_text(text, words)]
    if Path(name).name.startswith("test_"):
        faults += check_names(source)
    for line, fault in sorted(set(faults)):
        yield Finding(f"{name}:{line}", fault)


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout


def _tracked() -> Iterator[str]:
    for name in _git("ls-files", "-z").split("\0"):
        path = ROOT / name
        if path.is_symlink() or not path.is_file():  # deleted, but not yet in the index
            continue
        if path.suffix in _SUFFIXES and not _NOT_OURS.match(name):
            yield name


def main(
    files: Annotated[
        list[str] | None, typer.Argument(help="Files to check. Default: all files in git.")
    ] = None,
) -> None:
    """Check words, sentences, names of tests and subjects of commits."""
    words = read_words(ROOT / "language.toml")
    found: list[Finding] = []
    for name in files or _tracked():
        found += check_file(name, (ROOT / name).read_text(encoding="utf-8"), words)
    if not files:
        found += check_subjects(
            _git("log", "--no-merges", f"--since={SUBJECTS_SINCE}", "--format=%h %s")
        )
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    for finding in found:
        console.print(f"{finding.place}: {finding.fault}")
    if found:
        console.print(f"language: {len(found)} places. The rules: CONTRIBUTING.md, How we write.")
        raise typer.Exit(1)


if __name__ == "__main__":
    start(main, "README.md")
