"""Keys as the server has them: made, read from AI3_API_KEYS, found by their secret."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai3ray.domain.access import SCOPES, ApiKey, matching_key, new_api_key, parse_api_keys

A, B = "a" * 64, "b" * 64


def test_a_secret_has_256_random_bits_and_the_key_knows_only_its_hash():
    secret, key = new_api_key("alice", ["run", "read"])
    assert re.fullmatch(r"ai3_[A-Za-z0-9_-]{43}", secret)
    assert key.sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in repr(key) + key.model_dump_json()
    assert new_api_key("alice", ["run"])[0] != secret


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True),
            st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
            st.sets(st.sampled_from(SCOPES), min_size=1),
        ),
        max_size=5,
    ),
    st.sampled_from(["+", ",", "|", " "]),
)
def test_what_is_written_is_read_again_whatever_joins_the_scopes(keys, joint):
    known = tuple(ApiKey(name=name, sha256=sha, scopes=frozenset(scopes)) for name, sha, scopes in keys)
    assert parse_api_keys(",".join(key.entry().replace("+", joint) for key in known)) == known


def test_spaces_empty_entries_and_capitals_do_no_harm():
    found = parse_api_keys(f" alice : {A.upper()} : run , , bob:{B}:admin,")
    assert [(key.name, key.sha256, set(key.scopes)) for key in found] == [("alice", A, {"run"}), ("bob", B, {"admin"})]
    assert parse_api_keys(" , ") == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("alice", "key 1 is not of the form"),
        (f"alice:{A}", "key 1 is not of the form"),
        (f"alice:{A}:run:read", "key 1 is not of the form"),
        (f"bob:{B}:run,:{A}:run", "key 2"),
        (f"-x:{A}:run", "key 1: a key's name"),
        (f"a/b:{A}:run", "key 1: a key's name"),
        ("alice:ai3_topsecrettopsecret:run", "'alice': its second part is the SHA-256"),
        (f"alice:{A}:ai3_topsecrettopsecret", "'alice': its third part is its scopes"),
        (f"alice:{A}:", "'alice': its third part is its scopes"),
        (f"alice:{A}:run+write", "'alice': its third part is its scopes"),
    ],
)
def test_a_wrong_entry_is_named_and_not_quoted(text, says):
    with pytest.raises(ValueError, match=re.escape(says)) as wrong:
        parse_api_keys(text)
    assert "topsecret" not in str(wrong.value)


@pytest.mark.parametrize(
    ("name", "scopes"), [("", ["run"]), ("a b", ["run"]), ("a:b", ["run"]), ("a", []), ("a", ["all"])]
)
def test_no_key_is_made_with_a_wrong_name_or_scope(name, scopes):
    with pytest.raises(ValueError, match=r"name|scope"):
        new_api_key(name, scopes)


def test_a_key_is_found_by_the_whole_secret_alone():
    made = [new_api_key(f"k{n}", ["run"]) for n in range(3)]
    keys = [key for _, key in made]
    for secret, key in made:
        assert matching_key(secret.encode(), keys) == key
        assert matching_key(secret[:-1].encode(), keys) is None
        assert matching_key(key.sha256.encode(), keys) is None
    assert matching_key(b"\xff\xfe", keys) is None
    assert matching_key(b"", []) is None


def test_admin_may_everything_and_the_others_what_they_say():
    assert all(new_api_key("a", ["admin"])[1].allows(scope) for scope in SCOPES)
    only = new_api_key("a", ["read"])[1]
    assert [scope for scope in SCOPES if only.allows(scope)] == ["read"]
