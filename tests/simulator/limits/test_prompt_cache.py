"""The vendors' prompt caches, in virtual time."""

import pytest

from ai3ray.simulator import Caching
from ai3ray.simulator.limits.prompt_cache import PromptCache
from ai3ray.simulator.wires.messages import MessagesWire
from ai3ray.simulator.wires.parsed_request import ParsedRequest, RequestRefused

LONG = "All rivers run into the sea; yet the sea is not full. " * 100  # 1,350 tokens
MARK = {"type": "ephemeral"}


def claude(*turns, system=None, model="claude-opus-4-8", **more):
    """A request of Anthropic's: each turn one block; a pair is a block and its mark."""
    blocks = [
        {"type": "text", "text": turn} if isinstance(turn, str) else {"type": "text", "text": turn[0], **turn[1]}
        for turn in turns
    ]
    body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": blocks}], **more}
    if system is not None:
        body["system"] = system
    return MessagesWire().read(body, {}, "anthropic")


def gpt(prompt, account="openai", model="gpt-6-luna"):
    return ParsedRequest(account, model, False, "", (("user", prompt),), 9)


def ask(cache, now, asked, *, mark_readable=True, counts_writes=False):
    """What the cache does for one call whose answer begins at once: tokens read, tokens written."""
    reading = cache.read(now, asked, counts_writes=counts_writes)
    if mark_readable:
        cache.mark_readable(now, reading)
    return reading.read, reading.write


def test_what_was_marked_is_read_by_the_next_call_with_the_same_beginning():
    cache = PromptCache(Caching())
    marked = (LONG, {"cache_control": MARK})
    assert ask(cache, 0.0, claude(marked, "One?")) == (0, 1350)
    assert ask(cache, 1.0, claude(marked, "Two?")) == (1350, 0)
    assert ask(cache, 1.0, claude((LONG.replace("sea", "lake"), {"cache_control": MARK}))) == (0, 1400)


def test_tokens_add_up():
    cache = PromptCache(Caching())
    asked = claude((LONG, {"cache_control": MARK}), "One?")
    reading = cache.read(0.0, asked, counts_writes=True)
    used = reading.used(asked.input_tokens, 5)
    assert used.fresh + used.cache_read + used.cache_write == asked.input_tokens
    assert used.fresh > 0


def test_nothing_is_kept_without_a_mark_or_when_it_is_short():
    cache = PromptCache(Caching())
    for asked in (
        claude(LONG),
        claude(("short", {"cache_control": MARK})),
        claude((LONG[:4000], {"cache_control": MARK})),
    ):
        assert ask(cache, 0.0, asked) == ask(cache, 0.0, asked) == (0, 0)


def test_a_model_may_have_a_minimum_of_its_own():
    cache = PromptCache(Caching(min_tokens_of={"claude-opus-5-5": 512}))
    marked = (LONG[:3000], {"cache_control": MARK})
    assert ask(cache, 0.0, claude(marked, model="claude-opus-5-5"))[1] == 750
    assert ask(cache, 0.0, claude(marked))[1] == 0


def test_an_entry_is_readable_only_after_the_first_answer_has_begun():
    cache = PromptCache(Caching())
    asked = claude((LONG, {"cache_control": MARK}), "One?")
    first = cache.read(0.0, asked, counts_writes=True)
    assert ask(cache, 0.1, asked, mark_readable=False) == (0, 1350)
    cache.mark_readable(0.2, first)
    assert ask(cache, 0.3, asked) == (1350, 0)


def test_an_entry_lives_five_minutes_after_its_last_use():
    cache = PromptCache(Caching())
    asked = claude((LONG, {"cache_control": MARK}))
    reads = [ask(cache, now, asked)[0] for now in (0.0, 299.0, 597.0, 898.0)]
    assert [read > 0 for read in reads] == [False, True, True, False]


def test_an_hour_is_an_hour_and_is_told_apart():
    cache = PromptCache(Caching())
    asked = claude((LONG, {"cache_control": {**MARK, "ttl": "1h"}}))
    reading = cache.read(0.0, asked, counts_writes=True)
    cache.mark_readable(0.0, reading)
    assert (reading.write, reading.write_1h) == (0, 1350)
    assert ask(cache, 3500.0, asked) == (1350, 0)


def test_a_longer_prompt_reads_what_is_known_and_writes_the_rest():
    cache = PromptCache(Caching())
    ask(cache, 0.0, claude((LONG, {"cache_control": MARK})))
    longer = claude((LONG, {"cache_control": MARK}), (LONG, {"cache_control": MARK}), "?")
    assert ask(cache, 1.0, longer) == (1350, 1351)
    assert ask(cache, 2.0, longer) == (2701, 0)


def test_a_breakpoint_looks_back_twenty_blocks():
    def turns(count):
        return claude(LONG, *["and"] * (count - 1), ("so", {"cache_control": MARK}))

    for between, found in ((20, True), (21, False)):
        cache = PromptCache(Caching())
        ask(cache, 0.0, claude((LONG, {"cache_control": MARK})))
        assert (ask(cache, 1.0, turns(between))[0] > 0) is found


def test_roles_tools_and_models_are_part_of_the_prefix():
    cache = PromptCache(Caching())
    marked = (LONG, {"cache_control": MARK})
    ask(cache, 0.0, claude(marked))
    others = [
        claude(marked, tools=[{"name": "look"}]),
        claude(marked, model="claude-opus-4-7"),
        claude("?", system=[{"type": "text", "text": LONG, "cache_control": MARK}]),
    ]
    assert [ask(cache, 1.0, other)[0] for other in others] == [0, 0, 0]


def test_a_mark_on_the_request_itself_is_for_its_last_block():
    cache = PromptCache(Caching())
    assert ask(cache, 0.0, claude(LONG, cache_control=MARK)) == (0, 1350)
    assert ask(cache, 1.0, claude(LONG, cache_control=MARK)) == (1350, 0)


@pytest.mark.parametrize("mark", [{"type": "eternal"}, {"type": "ephemeral", "ttl": "1d"}, "ephemeral"])
def test_a_mark_that_is_wrong_is_refused(mark):
    with pytest.raises(RequestRefused, match="cache_control"):
        claude((LONG, {"cache_control": mark}))


def test_at_most_four_marks():
    with pytest.raises(RequestRefused, match="Found 5"):
        claude(*[("x", {"cache_control": MARK})] * 5)


@pytest.mark.parametrize("account", ["openai", "xai"])
def test_others_keep_prefixes_by_themselves_in_steps_of_128_tokens(account):
    cache = PromptCache(Caching())
    assert ask(cache, 0.0, gpt(LONG, account)) == (0, 0)
    assert ask(cache, 1.0, gpt(LONG, account)) == (1280, 0)
    assert ask(cache, 1.0, gpt(LONG[:4600] + "something else" * 99, account)) == (1024, 0)
    assert ask(cache, 1.0, gpt(LONG[:3000] + "something else" * 99, account)) == (0, 0)
    assert ask(cache, 1.0, gpt("x" + LONG, account)) == (0, 0)
    assert ask(cache, 1.0, gpt(LONG[:4000], account)) == (0, 0)


def test_where_writing_is_billed_it_is_counted():
    cache = PromptCache(Caching())
    assert ask(cache, 0.0, gpt(LONG), counts_writes=True) == (0, 1280)
    assert ask(cache, 1.0, gpt(LONG + LONG), counts_writes=True) == (1280, 1408)


def test_it_can_be_switched_off():
    cache = PromptCache(Caching(enabled=False))
    assert [ask(cache, 0.0, gpt(LONG)) for _ in range(2)] == [(0, 0), (0, 0)]
