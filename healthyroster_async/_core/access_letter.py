"""The letter that asks the vendor's support for the missing grants."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from healthyroster_async._core.access_grid import Grant
from healthyroster_async._core.access_text import counted

if TYPE_CHECKING:
    from healthyroster_async._core.access_report import AccessReport
    from healthyroster_async._core.endpoint import Endpoint

SUPPORT = "help@healthyroster.com"
_WIDTH = 72


def letter(report: AccessReport) -> str:
    """Return the letter; it is empty if nothing was denied."""
    if not report.grants()[Grant.DENIED]:
        return ""
    name = report.environment.value
    head = (
        f"To: {SUPPORT}\nSubject: API access of our application ({name})",
        "Hello,",
        _wrapped(
            f"the {name} environment of your API answers 403 Forbidden to calls that "
            "our application needs."
        ),
        f"Our application id: {report.application_id}",
    )
    parts = _missing(report) if report.answered else _everything(report)
    return "\n\n".join((*head, *parts, "Thank you very much.")) + "\n"


def _missing(report: AccessReport) -> Iterator[str]:
    providers, endpoints = report.missing_providers, report.missing_endpoints
    if providers:
        these = _these(len(providers), "Healthcare Provider")
        text = f"Please grant it access to {these}:"
        yield f"{text}\n\n{_ids(providers)}"
    if endpoints:
        text = f"Please authorize it for {_these(len(endpoints), 'endpoint')}:"
        yield f"{text}\n\n{_labels(endpoints)}"
    if report.exceptions:
        by_endpoint: dict[Endpoint, list[int | str]] = {}
        for one in report.exceptions:
            by_endpoint.setdefault(one.endpoint, []).append(one.provider_id)
        yield _wrapped(
            "Please look at these as well. The endpoints answer for other Healthcare "
            "Providers, and these Healthcare Providers on other endpoints, but not "
            "together:"
        )
        for endpoint, ids in by_endpoint.items():
            yield f"  {endpoint.label}\n{_ids(ids, '    ')}"


def _everything(report: AccessReport) -> Iterator[str]:
    """Yield what to look at if nothing answered: either grant may be missing."""
    yield _wrapped(
        "Every call was refused, so we cannot tell which grants are missing. Please "
        "check whether it is granted access to these Healthcare Providers:"
    )
    yield _ids(report.providers)
    yield "... and authorized for these endpoints:"
    yield _labels(report.endpoints)


def _these(count: int, name: str) -> str:
    return f"this {name}" if count == 1 else f"these {counted(count, name)}"


def _labels(endpoints: Iterable[Endpoint]) -> str:
    return "\n".join(f"  {endpoint.label}" for endpoint in endpoints)


def _ids(ids: Iterable[int | str], indent: str = "  ") -> str:
    # Each by itself: whoever grants them looks them up one by one.
    text = ", ".join("".join(c for c in str(i) if c.isprintable()) for i in ids)
    return _wrapped(text, indent)


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
