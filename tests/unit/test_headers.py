"""Retry-After in all its forms."""

from datetime import UTC, datetime

import pytest

from healthyroster_async._core.headers import http_date, retry_after

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("5, 5", 5.0),
        ("5,60 ,\t7", 60.0),
        ("2147483647", 2147483647.0),
        ("Mon, 23 Nov 2026 12:01:00 GMT", 60.0),
        ("Monday, 23-Nov-26 12:01:00 GMT", 60.0),
        ("Mon Nov 23 12:01:00 2026", 60.0),
        ("Sun Nov  1 00:00:00 2026", 0.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("-5", None),
        ("+5", None),
        ("1e9", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("5 seconds", None),
        ("5, soon", None),
        ("5,", None),
        ("0x10", None),
        ("١٢", None),
        ("Mon, 23 Nov 2026 12:01:00 CET", None),
        ("Mon, 31 Feb 2026 12:01:00 GMT", None),
        ("Mon, 23 Nov 2026 25:01:00 GMT", None),
    ],
)
def test_retry_after_is_read_in_every_form(value, seconds):
    """
    RFC 9110 has seconds and three date forms; anything else asks for nothing.
    """
    headers = {"retry-after": value, "date": "Mon, 23 Nov 2026 12:00:00 GMT"}

    assert retry_after(headers) == seconds


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 23 Nov 2026 15:00:00 GMT",
        "Monday, 23-Nov-26 15:00:00 GMT",
        "Mon Nov 23 15:00:00 2026",
    ],
)
def test_a_date_is_read_on_the_servers_clock(date):
    """
    A server whose clock is three hours ahead does not ask for three hours.
    """
    headers = {"retry-after": "Mon, 23 Nov 2026 15:00:10 GMT", "date": date}

    assert retry_after(headers, now=NOON) == 10.0


def test_our_own_clock_stands_in_for_a_missing_date():
    """
    Better a rough wait than none.
    """
    headers = {"retry-after": "Mon, 23 Nov 2026 12:00:30 GMT"}

    assert retry_after(headers, now=NOON) == 30.0
    assert retry_after({}) is None


def test_a_two_digit_year_far_ahead_is_the_past_one():
    """
    RFC 9110, section 5.6.7: more than 50 years ahead means the last century.
    """
    assert http_date("Sunday, 06-Nov-94 08:49:37 GMT").year == 1994
    assert http_date("Sunday, 06-Nov-30 08:49:37 GMT").year == 2030
