"""The programs of docs/tutorials/train-in-pytorch.md, one after the other, as a reader would run them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from places import PHOTOS, ROOT


def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    text = (ROOT / "docs" / "tutorials" / "train-in-pytorch.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    shutil.copytree(PHOTOS, tmp_path / "photos", ignore=shutil.ignore_patterns("*.md"))
    monkeypatch.chdir(tmp_path)
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    names: dict = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"step {number + 1} of the tutorial", "exec"), names)
    lines = capsys.readouterr().out.splitlines()
    images = int(lines[0].split()[0])
    assert lines[0] == f"{images} images" and images == sum(1 for _ in PHOTOS.glob("*/*.jpg"))
    assert lines[1].startswith("torch.Size([4, 3, 64, 64]) torch.float32 [")
    assert [line.split()[0] for line in lines[2:]] == ["0", "1", "2"]
    for each in (names["loader"], names["again"], *names["shares"]):
        each.close()
