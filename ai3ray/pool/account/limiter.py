"""How many calls one account may have in flight: found out by trying, below a ceiling."""

from __future__ import annotations

from math import inf

START = 20
"""Calls in flight to begin with, where the settings name no other figure."""
CUT = 0.8
"""What a rate limit leaves of the limit."""
GROWTH = 1.05
"""What a clean window makes of the limit, once a rate limit was met, or one permit more; before that it doubles."""
DEBOUNCE_S = 15.0
"""Seconds after a cut in which nothing is cut again and nothing grows."""
PATIENCE = 32
"""Clean windows, at most, before one call more is tried than has proved to hold."""
DOUBTS = 2
"""Episodes in which nothing is remembered, after what had proved to hold was refused."""


class Limiter:
    """The permits of one account.

    It starts at `start`, doubles per window of as many clean replies as it allows calls, until the first 429;
    each episode of 429 cuts it to four fifths; from then on a clean window adds a twentieth, one at least. An
    episode lasts 15 seconds, or as long as the provider asked us to wait. A fault of the provider's own begins the
    window anew and cuts nothing. A window grows the limit no sooner than somebody is held up by it: what was never
    used was never tried. (The rules up to here are those of adaptive connections in UKGovernmentBEIS/inspect_ai,
    `util/_concurrency.py`.)

    It remembers what has proved to hold: the largest limit with a clean window. After an episode it is back there at
    once, and one permit more is tried after 2 clean windows, after 4 when that was refused, up to PATIENCE; a trial
    that is refused costs that permit and no cut. So an account whose ceiling nobody tells is used to the full, and
    asked for more now and then, instead of being run against its wall each half a minute. When what has proved to
    hold is itself refused, it is forgotten, and in the next DOUBTS episodes nothing is remembered: what is refused then
    is likely no number of calls in flight, but of requests or tokens that no reply tells of.

    Args:
        ceiling: the most calls in flight, as configured.
        start: calls in flight to begin with; 20 when absent, and never more than the ceiling.
    """

    def __init__(self, ceiling: int, start: int | None = None) -> None:
        self.ceiling = ceiling
        self.in_flight = 0
        """Permits that are out."""
        self._start = start or START
        self._found = float(self._start)
        self.limit = min(ceiling, self._start)
        """Calls in flight that are allowed at the moment: at least 1, at most the ceiling."""
        self._clean = 0
        self._met = False
        self._hold_until = -inf
        self._proved = 0.0
        self._patience = 1
        self._waited = 0
        self._doubts = 0

    @property
    def full(self) -> bool:
        """No permit is left."""
        return self.in_flight >= self.limit

    @property
    def load(self) -> float:
        """Share of the permits that is out, 0 to 1."""
        return min(1.0, self.in_flight / self.limit)

    def take(self) -> None:
        """Give out a permit. The last one makes the limit grow when a clean window lies behind it."""
        self.in_flight += 1
        self._grow()

    def release(self) -> None:
        """A permit is returned, whatever became of its call."""
        self.in_flight -= 1

    def clean(self, now: float) -> None:
        """A call was answered. Called before its permit is given back.

        Args:
            now: seconds of the pool's clock.
        """
        if now < self._hold_until:
            return  # begun before the cut: it says nothing about the lower limit
        if self._found < self._proved and not self._doubts:
            self._find(self._proved)
        self._clean += 1
        self._grow()

    def fault(self) -> None:
        """The provider failed inside: the window is not clean."""
        self._clean = 0

    def limited(self, now: float, retry_after_s: float | None) -> None:
        """The provider said 429.

        Args:
            now: seconds of the pool's clock.
            retry_after_s: seconds that it asked us to wait.
        """
        self._clean = 0
        self._met = True
        if now >= self._hold_until:
            self._find(max(1.0, self._less()))
            self._hold_until = now + DEBOUNCE_S
        self._hold_until = max(self._hold_until, now + (retry_after_s or 0.0))

    def configure(self, ceiling: int, start: int | None) -> None:
        """Put another ceiling into force; calls above a lower one end in their own time."""
        untried = self._found == self._start and not self._met
        self.ceiling, self._start = ceiling, start or START
        self._find(float(self._start) if untried else self._found)

    def _grow(self) -> None:
        if self._clean < self.limit or not self.full:
            return
        self._clean = 0
        if self._found > self._proved:
            self._proved, self._patience, self._waited = self._found, 1, 0
        self._waited += 1
        if self._waited >= self._patience and self._found < self.ceiling:
            self._waited = 0
            self._find(min(float(self.ceiling), self._more()))

    def _more(self) -> float:
        """What is tried next."""
        if not self._met:
            return self._found * 2.0
        return self._found + 1.0 if self._patience > 1 else max(self._found * GROWTH, self._found + 1.0)

    def _less(self) -> float:
        """What is left when an episode begins."""
        tried, proved = min(self._found, self.ceiling), self._proved
        self._waited = 0
        if tried <= proved:
            self._proved, self._patience, self._doubts = 0.0, 1, DOUBTS
            return tried * CUT
        patient, self._patience = self._patience > 1, min(2 * self._patience, PATIENCE)
        if self._doubts or not proved:
            self._doubts = max(0, self._doubts - 1)
            return tried * CUT
        # The limit may be far above what was in flight: that is all that has been too much.
        return proved if patient and tried <= proved + 1 else min(tried, max(proved, self.in_flight)) * CUT

    def _find(self, found: float) -> None:
        self._found = found
        self.limit = min(self.ceiling, int(found + 1e-9))
