"""Our log lines in structlog: fields, not text to be parsed."""

import io
import json
import logging

import structlog

from healthyroster_async.emulator import Emulator


async def test_fields_of_our_log_lines_are_fields_in_structlog():
    """
    Whoever has structured logs wants to search by label and status.
    """
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
            ],
            processor=structlog.processors.JSONRenderer(),
        )
    )
    logger = logging.getLogger("healthyroster_async")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        async with Emulator(providers=1) as emulator, emulator.pool() as pool:
            await pool.session(1).reporting.data_sources()
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]

    (line,) = [x for x in lines if x["logger"] == "healthyroster_async.attempts"]
    assert line["label"] == "GET /HealthcareProvider/{id}/Datasources"
    assert line["status"] == 200
