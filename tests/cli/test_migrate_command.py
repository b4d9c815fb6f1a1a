"""hil config migrate on files."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from hil.cli.main import hil
from old_configs import NEWEST


class Run:
    """One run of the command line in an empty folder."""

    def __init__(self, *words: str) -> None:
        result = CliRunner().invoke(hil, words, prog_name="hil")
        self.code, self.out, self.err = result.exit_code, result.stdout, result.stderr


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HIL_CONFIG", raising=False)


def test_it_prints_the_configuration_and_lists_the_rest() -> None:
    Path("old.yaml").write_text(NEWEST)

    made = Run("config", "migrate", "old.yaml")

    assert made.code == 0
    assert "line 9: schedule.source_csv: schedules are put into" in made.err
    Path("new.yaml").write_text(made.out)
    assert Run("config", "check", "new.yaml").code == 0


def test_it_overwrites_only_when_told() -> None:
    Path("old.yaml").write_text(NEWEST)
    Path("new.yaml").write_text("mine")

    refused = Run("config", "migrate", "old.yaml", "-o", "new.yaml")

    assert (refused.code, refused.out) == (1, "")
    assert refused.err.endswith("new.yaml: already there; --force writes over it\n")
    assert Path("new.yaml").read_text() == "mine"
    made = Run("config", "migrate", "old.yaml", "-o", "new.yaml", "--force")
    assert (made.code, made.out) == (0, "wrote new.yaml; next: `hil config check new.yaml`\n")
    assert Run("config", "check", "new.yaml").code == 0


def test_a_folder_that_is_not_there_is_said() -> None:
    Path("old.yaml").write_text(NEWEST)

    refused = Run("config", "migrate", "old.yaml", "-o", "gone/new.yaml")

    assert refused.code == 1
    assert refused.err.endswith("gone/new.yaml: cannot be written: No such file or directory\n")


@pytest.mark.parametrize("text", [None, "site: {}", "general: {log_level: 7}", "\ud800"])
def test_what_cannot_be_taken_over_is_refused(text: str | None) -> None:
    if text is not None:
        Path("old.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))

    refused = Run("config", "migrate", "old.yaml", "-o", "new.yaml")

    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("old.yaml: ")
    assert not Path("new.yaml").exists()
