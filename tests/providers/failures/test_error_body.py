"""Error bodies in all the shapes that providers use."""

import pytest

from ai3ray.providers.failures.error_body import ErrorBody, parse_error_body


@pytest.mark.parametrize(
    ("body", "parsed"),
    [
        (
            b'{"type":"error","error":{"type":"rate_limit_error","message":"m","details":{"error_code":"c"}},"request_id":"r"}',
            ErrorBody("m", "rate_limit_error", "c", "r"),
        ),
        (b'{"error":{"message":"m","type":"t","code":"c","param":null}}', ErrorBody("m", "t", "c")),
        (b'{"error":{"message":"m","type":"t","code":null}}', ErrorBody("m", "t")),
        (b'{"error":{"message":"m","code":400}}', ErrorBody("m", None, "400")),
        (b'{"code":"Some resource","error":"m"}', ErrorBody("m", None, "Some resource")),
        (b'{"object":"error","message":"m","type":"t","code":404}', ErrorBody("m", "t", "404")),
        (b'{"detail":"m"}', ErrorBody("m")),
        (b"{}", ErrorBody()),
        (b"[1]", ErrorBody("[1]")),
        (b"<html>no</html>", ErrorBody("<html>no</html>")),
        (b"", ErrorBody()),
        (b"\xff", ErrorBody("\ufffd")),
    ],
)
def test_bodies(body, parsed):
    assert parse_error_body(body) == parsed
