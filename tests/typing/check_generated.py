"""What ``contract generate`` writes passes ruff, mypy and pyright, and so checks calls.

It needs the three tools: ``nox -s types`` runs it.
"""

import subprocess
import sys
from pathlib import Path

import pytest
import written_documents as documents

from healthyroster_async import Contract
from healthyroster_async._codegen.package import package

PROJECT = Path(__file__).parents[2]
RIGHT = """
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import assert_type

from clinic_api import models, operations
from healthyroster_async import File, ProviderSession, Response, SyncSession


async def right(session: ProviderSession) -> None:
    clinic = operations(session)
    found = await clinic.get_patients(organizationId=7, status="active")
    await clinic.get_patients(organizationId=7, since="2026-01-01")
    assert_type(found, list[models.Patient])
    await clinic.get_patients(organizationId=7, teams=["a"], since=date(2026, 1, 1))
    await clinic.get_patients(organizationId=7, teams=("a", "b"), status=None)
    assert_type(found[0].birth_date, date | None)
    assert_type(found[0].guardian, models.Patient | None)
    assert_type(await clinic.get_patients(organizationId=7, raw=True), Response)
    async for patient in clinic.get_patients.pages(organizationId=7):
        assert_type(patient, models.Patient)
    await clinic.add_patient(body={"name": "Ada"})
    await clinic.add_patient(body=models.Patient(name="Ada"))
    assert_type(await clinic.get_photo(patientId=1), bytes)
    await clinic.put_photo(patientId=1, photo=Path("x.png"), caption="x")
    await clinic.put_photo(patientId=1, photo=File(b"x", "x.png"))
    await clinic["GetPatients"](organizationId=7)
    print(clinic.get_patients.operation.summary, clinic.get_patients.paging, Decimal(1))


def right_without_await(session: SyncSession) -> list[models.Patient]:
    clinic = session.operations.with_models(models)
    found: list[models.Patient] = clinic.get_patients(organizationId=7)
    return found or list(clinic.get_patients.pages(organizationId=7))
"""
WRONG = {
    "a missing argument": "clinic.get_patients()",
    "an unknown argument": "clinic.get_patients(organizationId=7, organisation=1)",
    "a wrong type": 'clinic.get_patients(organizationId="7")',
    "a value that is none of the enum": (
        'clinic.get_patients(organizationId=7, status="gone")'
    ),
    "a text where a list belongs": 'clinic.get_patients(organizationId=7, teams="a")',
    "an argument by position": "clinic.get_patients(7)",
    "a body of another class": "clinic.add_patient(body=7)",
    "an unknown operation": "clinic.get_patient()",
    "pages of what has none": "clinic.get_photo.pages(patientId=1)",
    "an unknown member": "models.Patient(nickname='x')",
    "a change of a frozen model": "setattr_(models.Patient())",
}


def ran(*command, folder):
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write a package for each of our documents."""
    folder = tmp_path_factory.mktemp("generated")
    for name, document in documents.all_of_them().items():
        (folder / name).mkdir()
        written = package(Contract.from_swagger(document).operations)
        for file, text in written.items():
            (folder / name / file).write_text(text, encoding="utf-8")
    (folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    return folder


@pytest.mark.parametrize(
    "settings", [["--isolated"], ["--config", str(PROJECT / "pyproject.toml")]]
)
def test_ruff_accepts_every_package(folder, settings):
    """
    Who commits it wants no exceptions for it.
    """
    packages = list(documents.all_of_them())

    assert ran("ruff", "check", *settings, *packages, folder=folder) == (
        0,
        "All checks passed!\n",
    )


def test_mypy_accepts_every_package_and_right_calls(folder):
    """
    A type that is too narrow is worse than none.
    """
    (folder / "right.py").write_text(RIGHT)
    code, said = ran("mypy", "--strict", ".", folder=folder)

    assert code == 0, said


def test_pyright_accepts_every_package_and_right_calls(folder):
    """
    It is what most editors run, and it reads protocols in its own way.
    """
    (folder / "right.py").write_text(RIGHT)
    python = ("--pythonpath", sys.executable)
    code, said = ran("basedpyright", *python, ".", folder=folder)

    assert code == 0, said


def test_mypy_rejects_wrong_calls(folder):
    """
    Each of them would fail at run time, before anything is sent.
    """
    lines = [
        "from clinic_api import models, operations",
        "from healthyroster_async import ProviderSession",
        "def setattr_(patient: models.Patient) -> None:",
        '    patient.name = "x"  # a change of a frozen model',
        "def wrong(session: ProviderSession) -> None:",
        "    clinic = operations(session)",
    ]
    lines += [f"    print({call})  # {why}" for why, call in WRONG.items()]
    (folder / "wrong.py").write_text("\n".join(lines))
    _, said = ran("mypy", "--strict", "wrong.py", folder=folder)
    (folder / "wrong.py").unlink()
    found = {
        int(line.split(":")[1]) - 1 for line in said.splitlines() if ": error: " in line
    }
    told = {lines[number].partition("  # ")[2] for number in found}

    assert told == set(WRONG), said
