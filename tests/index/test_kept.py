"""What is made of a model: made once, linked from place to place, and never half."""

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from index.kept import MANIFEST, keep, places

SHA = "0123abcd"
OPENVINO = version("openvino")
NAME = f"{SHA}-1-{OPENVINO}"


class Maker:
    """Writes two files and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, folder: Path) -> None:
        self.times += 1
        (folder / "network.bin").write_bytes(b"weights")
        (folder / "tokenizer.json").write_text("{}")


@pytest.fixture
def make() -> Maker:
    return Maker()


def test_it_is_made_once_and_put_into_every_place(tmp_path: Path, make: Maker) -> None:
    first, second = tmp_path / "index" / "models", tmp_path / "cache"
    assert keep(SHA, 1, [first, second], make) == first / NAME
    assert keep(SHA, 1, [second], make) == second / NAME
    assert make.times == 1
    assert (first / NAME / "network.bin").samefile(second / NAME / "network.bin")
    assert [path.name for path in first.glob("*/")] == [NAME]  # nothing half made is left


def test_what_the_cache_has_is_put_beside_another_index(tmp_path: Path, make: Maker) -> None:
    keep(SHA, 1, [tmp_path / "cache"], make)
    beside = tmp_path / "other" / "models"
    assert keep(SHA, 1, [tmp_path / "cache", beside], make) == tmp_path / "cache" / NAME
    assert keep(SHA, 1, [beside], make) == beside / NAME
    assert make.times == 1


def test_what_came_with_an_index_is_not_put_into_the_cache(tmp_path: Path, make: Maker) -> None:
    beside = tmp_path / "index" / "models"
    keep(SHA, 1, [beside], make)
    assert keep(SHA, 1, [tmp_path / "cache", beside], make) == beside / NAME
    assert not (tmp_path / "cache").exists()


def test_another_fingerprint_or_a_higher_form_is_made_anew(tmp_path: Path, make: Maker) -> None:
    keep(SHA, 1, [tmp_path], make)
    keep("4567", 1, [tmp_path], make)
    keep(SHA, 2, [tmp_path], make)
    assert make.times == 3
    assert sorted(path.name for path in tmp_path.glob("*/")) == [NAME, f"{SHA}-2-{OPENVINO}", f"4567-1-{OPENVINO}"]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2])


def other(path: Path) -> None:
    path.write_text(json.dumps({"files": {}}))


@pytest.mark.parametrize("damage", [cut, Path.unlink, other])
@pytest.mark.parametrize("name", ["network.bin", "tokenizer.json", MANIFEST])
def test_what_is_damaged_is_made_anew(tmp_path: Path, make: Maker, name: str, damage: Callable[[Path], None]) -> None:
    folder = keep(SHA, 1, [tmp_path], make)
    damage(folder / name)
    assert keep(SHA, 1, [tmp_path], make) == folder
    assert make.times == 2
    assert (folder / "network.bin").read_bytes() == b"weights"
    assert keep(SHA, 1, [tmp_path], make) == folder
    assert make.times == 2


def test_a_file_too_many_is_noticed(tmp_path: Path, make: Maker) -> None:
    (keep(SHA, 1, [tmp_path], make) / "extra").write_text("?")
    assert not (keep(SHA, 1, [tmp_path], make) / "extra").exists()


def test_where_nothing_can_be_written_it_lies_in_a_temporary_folder(tmp_path: Path, make: Maker) -> None:
    (tmp_path / "file").write_text("in the way")
    folder = keep(SHA, 1, [tmp_path / "file", tmp_path / "file" / "deeper"], make)
    assert (folder / "network.bin").read_bytes() == b"weights"
    assert tmp_path not in folder.parents
    assert make.times == 1


def test_what_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        keep(SHA, 1, [tmp_path], fail)
    assert list(tmp_path.glob("*/")) == []


def test_what_a_killed_process_left_is_cleared(tmp_path: Path, make: Maker) -> None:
    (tmp_path / "making-abandoned").mkdir()
    keep(SHA, 1, [tmp_path], make)
    assert [path.name for path in tmp_path.glob("*/")] == [NAME]


def test_of_many_at_once_one_makes_it_and_all_have_it(tmp_path: Path) -> None:
    script = """
import sys, time
from pathlib import Path
from index.kept import keep
place, log = Path(sys.argv[1]), Path(sys.argv[2])
def fill(folder):
    with log.open("a") as opened:
        opened.write("made\\n")
    time.sleep(0.3)
    (folder / "network.bin").write_bytes(b"weights")
assert (keep("0123", 1, [place], fill) / "network.bin").read_bytes() == b"weights"
"""
    command = [sys.executable, "-c", script, str(tmp_path / "cache"), str(tmp_path / "log")]
    running = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait(timeout=60) for process in running] == [0] * 4
    assert (tmp_path / "log").read_text() == "made\n"


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    assert list(places(tmp_path, cached=True)) == [tmp_path / "models"]


def test_it_is_kept_beside_an_index_that_is_there_and_in_the_users_cache(cache: Path, tmp_path: Path) -> None:
    assert list(places(tmp_path, cached=True)) == [cache, tmp_path / "models"]
    assert list(places(tmp_path / "none", cached=True)) == [cache]
    assert list(places(tmp_path, cached=False)) == [tmp_path / "models"]
    assert list(places(None, cached=False)) == []
