"""Error bodies in all the shapes that providers use."""

import pytest

from ai3ray.providers.failures.error_body import Words, told


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            b'{"type":"error","error":{"type":"rate_limit_error","message":"m","details":{"error_code":"c"}},"request_id":"r"}',
            Words("m", "rate_limit_error", "c", "r"),
        ),
        (b'{"error":{"message":"m","type":"t","code":"c","param":null}}', Words("m", "t", "c")),
        (b'{"error":{"message":"m","type":"t","code":null}}', Words("m", "t")),
        (b'{"error":{"message":"m","code":400}}', Words("m", None, "400")),
        (b'{"code":"Some resource","error":"m"}', Words("m", None, "Some resource")),
        (b'{"object":"error","message":"m","type":"t","code":404}', Words("m", "t", "404")),
        (b'{"detail":"m"}', Words("m")),
        (b"{}", Words()),
        (b"[1]", Words("[1]")),
        (b"<html>no</html>", Words("<html>no</html>")),
        (b"", Words()),
        (b"\xff", Words("\ufffd")),
    ],
)
def test_bodies(body, words):
    assert told(body) == words
