from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import tracelab as tl

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")


def test_what_the_readme_says_of_policies_runs(sample_data: Path, capsys: Any) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    (block,) = (block for block in blocks if "tl.compare_policies(" in block)
    names = {"tl": tl, "spans": tl.read(sample_data / "shop.otlp.jsonl.gz")}
    exec(block, names)  # noqa: S102 - it is our own
    assert "tail_sampling:" in capsys.readouterr().out
    assert [*tl.compare_policies(names["spans"], names["policies"])["policy"]] == ["today", "tomorrow"]  # type: ignore[arg-type]
