"""Two stories of the demo run side by side, and the output of each stays together."""

import threading
from pathlib import Path

import pytest
import typer

from scripts import demo
from scripts.demo import Background, DemoError, show, step


def test_background_story_is_shown_when_finished(
    capsys: pytest.CaptureFixture[str],
) -> None:
    played = threading.Event()

    def play() -> None:
        with step("A step behind"):
            show("a line behind")
        played.set()

    background = Background(play)
    assert played.wait(600)
    show("a line in front")
    background.finish()

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    place = lines.index("a line behind")
    assert lines.index("a line in front") < place
    assert "A step behind" in lines[place + 1]


def test_background_story_ends_the_demo_when_it_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def play() -> None:
        show("what had happened")
        raise DemoError("It went wrong.")

    with pytest.raises(DemoError, match="It went wrong"):
        Background(play).finish()

    assert "what had happened" in capsys.readouterr().out


def test_demo_names_an_unreachable_server_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def refuse(_folder: object) -> None:
        raise ConnectionRefusedError("[Errno 111] Connection refused")

    monkeypatch.setattr(demo, "prepare", refuse)

    with pytest.raises(typer.Exit):
        demo.main(folder=tmp_path)

    out = capsys.readouterr().out
    assert "gave an unexpected answer" in out
    assert "[Errno 111] Connection refused" in out
