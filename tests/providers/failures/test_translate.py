"""No key gets out through an error, whatever held it."""

import traceback

import pytest

from ai3ray.errors import MalformedReply, ServerFault
from ai3ray.providers.failures.translate import MAX_MESSAGE_CHARS, ProviderAccount, Redacted
from tests.providers.conftest import asks

KEY = "canary-77aa88bb"
ACCOUNT = ProviderAccount("lab", "https://user:pass@lab.example:8443/v1", KEY)


def test_a_line_knows_host_and_port_and_hides_the_rest():
    assert ACCOUNT.host == "lab.example:8443"
    assert KEY not in repr(ACCOUNT)


@pytest.mark.parametrize(
    "text",
    [f"bad {KEY}", "sk-ant-abcdefgh12345678", "sk-proj-a1b2c3d412345678", "Bearer a12345678", "xai-a12345678"],
)
def test_what_looks_like_a_key_is_taken_out(text):
    redacted = ACCOUNT.redact(text)
    assert "[key]" in redacted
    assert "12345678" not in redacted
    assert KEY not in redacted


@pytest.mark.parametrize("key", ["a1b2c3d4", "canary-77aa88bb", "k" * 200])
def test_a_key_of_any_real_length_appears_nowhere(key):
    account = ProviderAccount("lab", "https://lab.example/v1", key)
    quoting = ValueError(f"unknown{key}")
    translated = account.translate(OSError(f"refused {key}"), asks(), None) or account.translate(quoting, asks(), None)
    assert key not in account.redact(f"unknown{key}: {key}")
    assert key not in "".join(traceback.format_exception(translated))


@pytest.mark.parametrize("key", ["", "k", "none", "unknown"])
def test_a_placeholder_key_garbles_no_message(key):
    assert ProviderAccount("lab", "https://lab.example/v1", key).redact("unknown model") == "unknown model"


def test_a_message_is_one_line_of_bounded_length():
    assert ACCOUNT.redact("a\n b\tc") == "a b c"
    assert len(ACCOUNT.redact("x" * 9999)) == MAX_MESSAGE_CHARS


def test_a_cause_that_shows_the_key_is_replaced_and_its_own_cause_kept():
    quoting = ValueError(f"header {KEY} refused")
    quoting.__cause__ = OSError("socket gone")
    translated = ACCOUNT.translate(quoting, asks(), None)
    shown = "".join(traceback.format_exception(translated))
    assert KEY not in shown
    assert "socket gone" in shown
    assert isinstance(translated.__cause__, Redacted)


def test_an_error_of_ours_is_signed_with_provider_model_and_request():
    error = MalformedReply("no")
    assert ACCOUNT.translate(error, asks(), {"request-id": "req_1"}) is error
    assert (error.provider, error.model, error.request_id) == ("lab", "claude-sonnet-5-5", "req_1")
    assert (error.status, error.maybe_paid) == (200, True)


def test_an_error_that_is_nobodys_is_left_alone():
    assert ACCOUNT.translate(TypeError("our own mistake"), asks(), None) is None


def test_a_redaction_changes_no_field_of_the_error():
    error = ServerFault("x", status=502, code="c", retry_after_s=1.0)
    ACCOUNT.translate(error, asks(), None)
    assert (error.status, error.code, error.retry_after_s) == (502, "c", 1.0)
