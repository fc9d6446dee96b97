"""Models are values: they compare, and can stand in a set."""

import copy
import pickle

import attrs
import pytest

from healthyroster_async import models

EXAMPLES = [
    models.DataSource(id=1, name="Patients", extra={"tags": ["a"]}),
    models.DataSourceField(name="PatientId", extra={"width": 8}),
    models.DataSourceParameter(name="StartDate", required=True, extra={"in": {}}),
    models.DataSourceDetail(
        id="x",
        fields=(models.DataSourceField(name="PatientId", extra={"width": [8]}),),
        extra={"tags": {}},
    ),
]


@pytest.mark.parametrize("model", EXAMPLES, ids=lambda model: type(model).__name__)
def test_a_model_can_stand_in_a_set(model):
    """
    set(await reporting.data_sources()) is how sources of two clinics are compared.
    """
    twin = pickle.loads(pickle.dumps(copy.deepcopy(model)))
    other = attrs.evolve(model, extra={})

    assert hash(twin) == hash(model)
    assert {model, twin} == {model}
    assert model != other
    assert {model, other} - {twin} == {other}
    assert {attrs.evolve(model, name="Other"): 1}.get(model) is None


def test_what_is_looked_up_by_name_is_found_in_any_case_unless_that_tells_two_apart():
    """
    Whoever is wrong is shown what there is.
    """
    sources = models.DataSources(
        models.DataSource(id=1, name=name) for name in ("Teams", "Notes", "notes")
    )
    detail = models.DataSourceDetail(
        name="Teams", fields=(models.DataSourceField(name="teamId"),)
    )

    assert sources["teams"].name == "Teams"
    assert [sources[name].name for name in ("Notes", "notes", "NOTES")] == [
        "Notes",
        "notes",
        "Notes",
    ]
    assert detail["TEAMID"].name == "teamId"
    with pytest.raises(KeyError, match="'Notes', 'notes'"):
        sources["Patients"]
    with pytest.raises(KeyError, match="'id'; there are 'teamId'"):
        detail["id"]


def test_what_is_found_by_a_name_is_in_it():
    """
    ``if "Patients" in sources`` is how one asks, and a wrong no leaves rows out.
    """
    sources = models.DataSources([models.DataSource(id=1, name="Patients")])
    detail = models.DataSourceDetail(
        fields=(models.DataSourceField(name="teamId"),),
        parameters=(models.DataSourceParameter(name="StartDate"),),
    )

    assert all(name in sources for name in ("Patients", "patients"))
    assert models.DataSource(id=1, name="Patients") in sources
    assert all(name not in sources for name in ("Notes", models.DataSource(id=2)))
    assert all(name in detail for name in ("teamId", "TEAMID", "startdate"))
    assert all(name not in detail for name in ("id", 0))
