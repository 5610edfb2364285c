"""What a command was told of a sampling policy: a file of a Collector or of Refinery, a preset, a sampler of an SDK."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from tracelab.errors import QueryWarning, SourceError, TracelabError, warn_caller
from tracelab.files import expanded
from tracelab.options import choice, shown
from tracelab.sampling import (
    AlwaysOff,
    AlwaysOn,
    ParentBased,
    TraceIdRatioBased,
    presets,
    refinery_rules,
    tail_policies,
)
from tracelab.sampling.documents import read_document
from tracelab.sampling.head.replay import MISSING_PARENTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import polars as pl

_RULES_KEYS: Final = frozenset({"RulesVersion", "Samplers", "Sampler", "SampleRate", "DryRun", "DryRunFieldName"})
"""What stands at the top of rules files of Refinery, of this version and of the old one, and of no Collector."""

_PRESETS: Final = ("development", "everyday", "production")
_WITHOUT_RATIO: Final[dict[str, Callable[[], Any]]] = {
    "always_on": AlwaysOn,
    "always_off": AlwaysOff,
    "parentbased_always_on": lambda: ParentBased(AlwaysOn()),
    "parentbased_always_off": lambda: ParentBased(AlwaysOff()),
}
_WITH_RATIO: Final[dict[str, Callable[[Any], Any]]] = {
    "traceidratio": lambda sampler: sampler,
    "parentbased_traceidratio": ParentBased,
    "ratio": ParentBased,
}
_WORDS: Final = (*_PRESETS, *_WITHOUT_RATIO, *_WITH_RATIO)


@dataclass(frozen=True)
class PolicyOption:
    """What stood in the command.

    Attributes
    ----------
    text
        A path, the name of a preset, or a sampler. Names are the same everywhere, whatever files are called.
    environment
        Of Refinery's rules: whose sampler.
    collector_version, processor
        Of a Collector's configuration: whose rules are followed, and which of several processors is meant.
    missing_parents
        Of a sampler of an SDK: what became of parents that are not in the dump.
    """

    text: str
    environment: str | None = None
    collector_version: str | None = None
    processor: str | None = None
    missing_parents: str | None = None

    def read(self) -> Callable[[pl.DataFrame], Any]:
        """Read it as far as that goes without spans; what is given back makes the policy, given spans.

        Raises
        ------
        PolicyError
            Its program would refuse it.
        SourceError
            There is no such file.
        TracelabError
            It is none of what it may be, or something else was said that does not go with it.
        """
        if self.missing_parents is not None:
            choice("--missing-parents", self.missing_parents, MISSING_PARENTS)
        path = expanded(self.text)
        word, *values = self.text.strip().split(":")
        if word not in _WORDS:
            if not path.exists():
                self._refuse_name(word)
            policy = self._of_file(path)
            return lambda _spans: policy
        if path.is_file():
            warn_caller(
                f"{self.text} names a preset or a sampler here. The file of that name is ./{self.text}.", QueryWarning
            )
        preset = word in _PRESETS
        self._refuse_beside(f"{word} is no file", environment=True, collector=not preset)
        if preset:
            self._refuse_missing_parents(f"{word} is a preset, and looks at whole traces")
            return self._preset(word, values)
        sampler = _sampler(word, values)
        return lambda _spans: sampler

    def _of_file(self, path: Path) -> Any:
        """Tell a Collector's configuration from rules of Refinery by what is in the file."""
        try:
            # What is no file proper, such as a pipe, can be read once only.
            source: Any = path if path.is_file() or path.is_dir() else path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise SourceError(f"{self.text} cannot be read: {error}.") from error
        values = read_document(source, name="policy").values
        if isinstance(values, dict) and not _RULES_KEYS.isdisjoint(values):
            self._refuse_missing_parents(f"{self.text} holds rules of Refinery")
            self._refuse_beside(f"{self.text} holds rules of Refinery", environment=False, collector=True)
            return refinery_rules(source, environment=self.environment)
        self._refuse_missing_parents(f"{self.text} is a file of policies")
        self._refuse_beside(f"{self.text} holds no rules of Refinery", environment=True, collector=False)
        version = {} if self.collector_version is None else {"collector_version": self.collector_version}
        return tail_policies(source, processor=self.processor, **version)

    def _preset(self, name: str, values: list[str]) -> Callable[[pl.DataFrame], Any]:
        """Make a preset, some of which take a share."""
        if self.processor is not None:
            raise TracelabError(f"--processor is for files, and {name} is a preset.")
        if name == "development" and values:
            raise TracelabError("development keeps everything, and takes no share.")
        ratio = {"ratio": _ratio(name, values)} if values else {}
        version = {} if self.collector_version is None else {"collector_version": self.collector_version}
        if name == "everyday":
            # Checks the share now, before any spans are read.
            presets.everyday("1s", **ratio)
            return lambda spans: tail_policies(presets.everyday(spans, **ratio).yaml, **version)
        preset = presets.production(**ratio) if name == "production" else presets.development()
        made = tail_policies(preset.yaml, **version)
        return lambda _spans: made

    def _refuse_beside(self, reason: str, *, environment: bool, collector: bool) -> None:
        """Refuse what was said beside the policy and has nothing to do with it."""
        if environment and self.environment is not None:
            raise TracelabError(f"--environment is for rules of Refinery, and {reason}.")
        said = [("--collector-version", self.collector_version), ("--processor", self.processor)]
        for option, value in said if collector else ():
            if value is not None:
                raise TracelabError(f"{option} is for a Collector's configuration, and {reason}.")

    def _refuse_missing_parents(self, reason: str) -> None:
        if self.missing_parents is not None:
            raise TracelabError(f"--missing-parents is for samplers of SDKs, and {reason}.")

    def _refuse_name(self, word: str) -> None:
        near = get_close_matches(word, _WORDS, n=3)
        if not near or any(mark in self.text for mark in "/\\"):
            raise SourceError(
                f"There is no file {self.text}. Name a Collector's configuration, rules of Refinery, a preset "
                f"({', '.join(_PRESETS)}) or a sampler such as ratio:0.1."
            )
        raise TracelabError(f"There is no file and no policy {shown(word)}. Did you mean {', '.join(near)}?")


def _sampler(word: str, values: list[str]) -> Any:
    if word in _WITHOUT_RATIO:
        if values:
            raise TracelabError(f"{word} takes no share. Write {word} alone.")
        return _WITHOUT_RATIO[word]()
    if len(values) not in (1, 2):
        raise TracelabError(f"{word} takes a share, and perhaps an SDK: {word}:0.1, {word}:0.1:js.")
    return _WITH_RATIO[word](TraceIdRatioBased(_ratio(word, values[:1]), *values[1:]))


def _ratio(word: str, values: list[str]) -> float:
    try:
        (text,) = values
        return float(text)
    except ValueError:
        raise TracelabError(f"{word} takes one share from 0 to 1, such as {word}:0.1.") from None
