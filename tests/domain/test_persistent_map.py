"""A mapping that grows without being copied: whoever has an earlier one keeps seeing what it was."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from ai3ray.domain.persistent_map import PersistentMap

STEPS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5), st.integers()))


@given(STEPS)
def test_it_is_a_dictionary_of_which_every_state_is_kept(steps):
    """Each step grows some earlier mapping, the newest or not, as copies of dictionaries would."""
    grown, plain = [PersistentMap()], [{}]
    for origin, key, value in steps:
        base = origin % len(grown)
        grown.append(grown[base].plus(key, value))
        plain.append({**plain[base], key: value})
    for mine, other in zip(grown, plain, strict=True):
        assert mine == other
        assert list(mine.items()) == list(other.items())
        assert len(mine) == len(other)
        assert [mine.get(key) for key in range(6)] == [other.get(key) for key in range(6)]


def test_it_begins_with_what_it_is_given():
    given_items = {"a": 1}
    grown = PersistentMap(given_items)
    given_items["a"] = 2
    assert grown == {"a": 1}
    assert repr(grown.plus("b", 2)) == "PersistentMap({'a': 1, 'b': 2})"


def test_growing_copies_nothing():
    """Both see the same log; only what grows from an earlier one has to begin its own."""
    grown = PersistentMap({0: 0})
    more = grown.plus(1, 1)
    assert more._log is grown._log
    assert grown.plus(1, 2)._log is not grown._log
    assert (dict(grown), dict(more)) == ({0: 0}, {0: 0, 1: 1})


def test_others_may_read_while_one_adds():
    grown, wrong, stop = [PersistentMap({0: 0})], [], threading.Event()

    def read():
        while not stop.is_set():
            mine = grown[-1]
            count = len(mine)
            if list(mine) != list(range(count)) or mine[count - 1] != count - 1:
                wrong.append(count)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 3000):
        grown.append(grown[-1].plus(number, number))
    stop.set()
    reader.join()
    assert not wrong
    assert [len(one) for one in grown] == list(range(1, 3001))
