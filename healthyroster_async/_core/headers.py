"""What header fields of an answer mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

# One number, as servers write it: RFC 9110 allows whole seconds, some send fractions.
_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")
# Also json+fhir and vnd.x.json, but no lines or sequences of JSON.
_JSON = re.compile(r"(?:^|[/+.-])json(?:\+|$)")
# Compiled when the first date is read: importing a program costs each time.
_RFC850 = (
    r"(?a)(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, "
    r"(?P<day>\d{2})-(?P<month>[A-Z][a-z]{2})-(?P<year>\d{2}) "
    r"(?P<time>\d{2}:\d{2}:\d{2}) GMT"
)
_ASCTIME = (
    r"(?a)(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?P<month>[A-Z][a-z]{2}) "
    r"(?P<day>[ \d]\d) (?P<time>\d{2}:\d{2}:\d{2}) (?P<year>\d{4})"
)
_IMF = (
    r"(?a)(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?P<day>\d{2}) (?P<month>[A-Z][a-z]{2}) "
    r"(?P<year>\d{4}) (?P<time>\d{2}:\d{2}:\d{2}) GMT"
)


@lru_cache(maxsize=64)  # every answer is asked
def is_json(media: str) -> bool:
    """Return whether what is said to be of a media type is JSON.

    It is where nothing is said, and in a range, if it is no file.
    """
    plain = media.partition(";")[0].strip().lower()
    # RFC 6839, section 3.1; x-json is older than application/json.
    return not plain or "*" in plain or _JSON.search(plain) is not None


def retry_after(
    headers: Mapping[str, str], *, now: datetime | None = None
) -> float | None:
    """Return how many seconds ``Retry-After`` asks to wait.

    RFC 9110, section 10.2.3. A date is on the server's clock, so it is compared with
    the ``Date`` of the same answer; *now* stands in only if that is missing.

    Args:
        headers: Header fields of the answer; names are lower case.
        now: The client's time, for an answer without ``Date``; the clock by default.

    Returns:
        Seconds, finite and at least 0, or ``None`` if nothing sensible was asked.
    """
    value = headers.get("retry-after")
    if value is None:
        return None
    value = value.strip(" \t")
    # A field that comes twice is joined; never sooner than any of them allows.
    parts = [part.strip(" \t") for part in value.split(",")]
    if all(map(_SECONDS.fullmatch, parts)):
        return max(map(float, parts))
    until = http_date(value)
    if until is None:
        return None
    return max(0.0, (until - sent_at(headers, now=now)).total_seconds())


def sent_at(headers: Mapping[str, str], *, now: datetime | None = None) -> datetime:
    """Return when an answer was sent, by the server's clock.

    Args:
        headers: Header fields of the answer; names are lower case.
        now: The client's time, for an answer without ``Date``; the clock by default.
    """
    return http_date(headers.get("date", "").strip(" \t")) or now or datetime.now(UTC)


@lru_cache(maxsize=16)  # all answers of a second have the same Date
def http_date(value: str) -> datetime | None:
    """Read one of the three forms of HTTP-date (RFC 9110, section 5.6.7).

    A two-digit year that seems to be more than 50 years ahead is the past one.

    Returns:
        The time in UTC, or ``None`` if the text is none of the three forms.
    """
    for form in (_IMF, _RFC850, _ASCTIME):
        found = re.fullmatch(form, value)
        if found is not None:
            break
    else:
        return None
    day, month, year = found["day"].strip(), found["month"], found["year"]
    if len(year) == 2:  # noqa: PLR2004 - RFC 850 wrote two digits
        this_year = datetime.now(UTC).year
        full = this_year - this_year % 100 + int(year)
        year = str(full - 100 if full > this_year + 50 else full)
    try:
        date = parsedate_to_datetime(f"{day} {month} {year} {found['time']} GMT")
    except ValueError:
        return None
    return date.replace(tzinfo=UTC)
