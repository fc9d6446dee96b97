"""The surroundings of processes that tests start."""

import os

# A process that is killed writes down nothing that it covered, and one whose memory or
# time is compared must not be watched.
_COVERAGE = {"COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"}
_COLOURS = {"NO_COLOR", "FORCE_COLOR"}


def unwatched():
    """Return our own variables without those that have coverage measured."""
    return {name: v for name, v in os.environ.items() if name not in _COVERAGE}


def variables(emulator, base=os.environ):
    """Return what makes a process use an emulator, and a terminal look the same."""
    (own,) = emulator.credentials.values()
    kept = {
        name: value
        for name, value in base.items()
        if not name.startswith("HEALTHYROSTER_") and name not in _COLOURS
    }
    return {
        **kept,
        "COLUMNS": "80",
        "TERM": "xterm-256color",
        "HEALTHYROSTER_SWAGGER": emulator.swagger_url,
        "HEALTHYROSTER_SANDBOX_APPLICATION_ID": own.application_id,
        "HEALTHYROSTER_SANDBOX_APPLICATION_SECRET": own.application_secret.reveal(),
    }
