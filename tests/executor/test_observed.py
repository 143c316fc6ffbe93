"""What sinks see of a real run, and that a broken one does not hurt it."""

from __future__ import annotations

from ai3ray.executor.inline import open_inline
from tests.conftest import make_home
from tests.executor.graphs import asked, wide
from tests.telemetry.test_observers import Broken, Recorder


async def run_to_its_end(core) -> str:
    """The run's status."""
    accepted, after = await core.submit(asked(wide(2), verify=False)), 0
    while not (feed := await core.feed(accepted.run_id, after)).done:
        after += len(feed.items)
    return (await core.result(accepted.run_id)).status


async def test_a_sink_follows_a_run_and_one_that_raises_does_not_hurt_it(simulator, home_folder):
    home, recorder = make_home(home_folder, simulator), Recorder()
    async with open_inline(home.settings, home.env, sinks=[Broken(), recorder]) as core:
        assert await run_to_its_end(core) == "succeeded"
    kinds = [call[0] for call in recorder.calls]
    assert kinds.count("lease") == 2
    assert sorted(call[2] for call in recorder.calls if call[0] == "attempt") == ["started"] * 2 + ["succeeded"] * 2
    assert sorted(call[3] for call in recorder.calls if call[0] == "task") == ["running"] * 2 + ["succeeded"] * 2
    assert "commit" in kinds
