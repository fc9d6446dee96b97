"""The command as a process: what it writes where, and how it ends."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from importlib.metadata import entry_points
from pathlib import Path

import attrs
import pytest

from healthyroster_async.cli import _rate
from healthyroster_async.cli.app import app
from healthyroster_async.cli.emulate import command as emulate_command
from healthyroster_async.emulator import limits

COMMAND = [sys.executable, "-m", "healthyroster_async"]
QUICK = ["demo", "--providers", "3", "--rows", "5", "--rate-limit", "1000"]


def clean_environment(**variables):
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("HEALTHYROSTER_")
        and name not in {"NO_COLOR", "FORCE_COLOR", "COLUMNS"}
    }
    return {**kept, **variables}


def run(*arguments, variables=None, **options):
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=clean_environment(**variables or {}),
        **options,
    )


def shell(line, **variables):
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=clean_environment(PYTHON=sys.executable, **variables),
    )


class Emulate:
    """A `healthyroster emulate` that runs, and what it told to export."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [*COMMAND, "emulate", "--port", "0", "--rows", "3", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )
        self.variables = {}
        for line in self.process.stdout:
            name, _, value = line.removeprefix("export ").rstrip("\n").partition("=")
            self.variables[name] = value
            if name == "HEALTHYROSTER_ENVIRONMENT":
                break

    def stop(self, how=signal.SIGINT):
        self.process.send_signal(how)
        _, errors = self.process.communicate(timeout=10)
        return self.process.returncode, errors


@pytest.fixture(scope="module")
def variables():
    """Start a local Healthy Roster that denies a provider and an endpoint."""
    emulate = Emulate("--deny", "2", "--deny", "3:data_source")
    yield emulate.variables
    emulate.stop()


@pytest.fixture
def call(monkeypatch, capsys):
    """Run the command in this process: faster, and it returns the same."""

    def made(*arguments, variables=None):
        for name, value in (variables or {}).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            app.main(arguments, prog_name="healthyroster")
        written = capsys.readouterr()
        return subprocess.CompletedProcess(
            arguments, ended.value.code, written.out, written.err
        )

    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return made


def test_the_demo_gets_every_row_once_in_spite_of_all_that_goes_wrong():
    """
    It is the promise of the package, checked against the server's own counters.
    """
    done = run("demo", "--providers", "4", "--rows", "40", "--json")

    report = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert report["complete"]
    assert report["rows"]["received"] == report["rows"]["sent"] == 2 * 9 * 40
    assert report["throttled"] > 0
    assert set(report["faults"]) == {"status", "reset", "reset-inside", "truncate"}
    assert sorted(len(grants["endpoints"]) for grants in report["missing_grants"]) == [
        1,
        3,
    ]


def test_the_demo_is_the_same_again_with_the_same_seed(call):
    """
    Who wants to look into something needs to see it again.
    """
    first, second = (json.loads(call(*QUICK, "--json").stdout) for _ in range(2))

    for name in ("rows", "faults", "missing_grants"):
        assert first[name] == second[name]


def test_the_demo_tells_a_person_what_came_and_what_is_missing():
    """
    A pipe has no width, no colours and no progress, but loses nothing.
    """
    done = run(*QUICK)

    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert "OK: 45 rows received, 45 expected, 45 sent by the server." in done.stdout
    assert "provider not granted" in done.stdout
    assert "endpoint not authorized" in done.stdout
    pace = r"^Pace +[\d.]+ calls per s at the end: \w"
    assert re.search(pace, done.stdout, re.MULTILINE)
    (calls,) = re.findall(r"^Calls +(.+)", done.stdout, re.MULTILINE)
    attempts, *parts = map(int, re.findall(r"\b(?<!with )\d+", calls))
    inside = parts.pop() if "inside an answer" in calls else 0
    assert attempts == sum(parts) - inside


def test_colours_are_forced_and_forbidden_by_the_usual_variables():
    """
    Users set them once, for every program.
    """
    forced = run("nothing", variables={"FORCE_COLOR": "1"})
    neither = run("nothing", variables={"FORCE_COLOR": "1", "NO_COLOR": "1"})

    assert "\x1b[1;31merror:" in forced.stderr
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", neither.stderr)


@pytest.mark.parametrize("command", [[*QUICK], [*QUICK, "--json"]])
def test_a_reader_that_stops_reading_is_no_reason_to_complain(command):
    """
    `| head -1` is how people look at things.
    """
    done = shell(f'"$PYTHON" -m healthyroster_async {" ".join(command)} | true')

    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a full disk")
def test_a_full_disk_is_told_in_one_line():
    """
    Half a table with exit code 0 would be taken for a whole one.
    """
    done = shell(f'"$PYTHON" -m healthyroster_async {" ".join(QUICK)} > /dev/full')

    assert (done.returncode, done.stderr) == (1, "error: No space left on device\n")


def test_closed_standard_streams_do_not_matter():
    """
    A socket that became number 1 would get what is printed; uvloop even aborts.
    """
    done = shell(f'"$PYTHON" -m healthyroster_async {" ".join(QUICK)} 0<&- >&-')

    assert (done.returncode, done.stderr) == (0, "")


def test_a_closed_stdin_holds_nothing(variables):
    """
    A supervisor may close it; what is missing is said, and not where Python broke.
    """
    done = shell('"$PYTHON" -m healthyroster_async access <&-', **variables)

    assert done.returncode == 2
    assert done.stderr.startswith("error: give ids of Healthcare Providers")


@pytest.mark.parametrize(
    "command", ["config set p swagger=x.json", "contract generate --out gen"]
)
def test_a_folder_that_was_deleted_is_said(command, tmp_path):
    """
    "No such file or directory" alone does not say which one.
    """
    gone = tmp_path / "gone"
    gone.mkdir()
    line = f'cd {gone} && rmdir {gone} && "$PYTHON" -m healthyroster_async {command}'
    done = shell(line, HEALTHYROSTER_SWAGGER="x.json")

    assert done.returncode == 1
    assert done.stderr.endswith("error: the folder you are in has been deleted\n")


def listening(process):
    """Wait until a process waits for connections: from then on it is at work."""
    for _ in range(3000):
        if process.poll() is not None:
            break
        table = Path("/proc/net/tcp").read_text(encoding="utf-8").splitlines()[1:]
        inodes = {line.split()[9] for line in table if line.split()[3] == "0A"}
        for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if str(descriptor.readlink()).strip("socket:[]") in inodes:
                    return
        time.sleep(0.01)
    pytest.fail("it did not begin to listen")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("how", "code", "after"),
    [(signal.SIGINT, 130, 0.2), (signal.SIGINT, 130, 1.2), (signal.SIGTERM, 143, 0.6)],
)
def test_the_demo_ends_quietly_when_it_is_told_to(how, code, after):
    """
    Whether it pulls, waits or pauses: no traceback, and nothing half written.
    """
    process = subprocess.Popen(
        [*COMMAND, "demo", "--rate-limit", "20/1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )
    listening(process)
    time.sleep(after)
    process.send_signal(how)
    output, errors = process.communicate(timeout=10)

    assert process.returncode == code
    assert (output, errors.strip()) == ("", "")


def test_an_interrupt_while_the_command_is_still_loading_prints_nothing():
    """
    Who mistyped presses Ctrl-C at once, and need not see where the imports were.
    """
    (script,) = entry_points(group="console_scripts", name="healthyroster")
    module, _, function = script.value.partition(":")
    # The mark comes when the module is there: before that, Python has it its own way.
    code = (
        f"from {module} import {function}; import sys;"
        "print('.', flush=True); sys.argv[1:] = ['emulate', '--port', '0'];"
        f"{function}()"
    )
    ended = []
    for step in range(1, 13):
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )
        process.stdout.readline()
        time.sleep(step * 0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
        ended.append((process.returncode, "Traceback" in errors or "ignored" in errors))

    # A shell says 130 for both.
    assert set(ended) <= {(-signal.SIGINT, False), (130, False)}
    assert ended[0] == (-signal.SIGINT, False)


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_emulator_runs_until_it_is_told_to_stop(how, code):
    """
    Ctrl-C is the one way to stop it, a service manager sends SIGTERM.
    """
    emulate = Emulate()
    status, errors = emulate.stop(how)

    assert status == code
    assert "Traceback" not in errors
    assert "/swagger" in errors


def test_what_the_emulator_exports_is_all_that_other_commands_need(variables):
    """
    Copied into a shell, the lines make `healthyroster sources 1` work.
    """
    done = run("sources", "1", "--json", variables=variables)

    sources = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert sources[0]["name"] == "Patients"


def test_a_limit_of_any_kind_can_be_played():
    """
    A vendor's limit is tried out before its API is called.
    """
    emulate = Emulate(
        "--rate-limit=2/600",
        "--limit-kind=firewall",
        "--limit-block=900",
        "--limit-headers=azure-quota",
        "--limit-scope=provider",
        "--limit-empty-body",
        "--latency=0.05",
        "--capacity=1",
        "--clock-skew=-86400",
    )
    url = emulate.variables["HEALTHYROSTER_SWAGGER"].partition("/swagger")[0]
    headers = {
        f"X-Application-{name}": emulate.variables[
            f"HEALTHYROSTER_SANDBOX_APPLICATION_{name}"
        ]
        for name in ("ID", "SECRET")
    }
    answers = []
    for provider in (1, 1, 1, 2):
        path = f"{url}/HealthcareProvider/{provider}/Datasources"
        request = urllib.request.Request(path, headers=headers)
        try:
            answer = urllib.request.urlopen(request, timeout=10)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            body = answer.read()
            answers.append((answer.status, answer.headers, body))
    emulate.stop()

    assert [status for status, _, _ in answers] == [200, 200, 403, 200]
    _, rejection, body = answers[2]
    assert (rejection["Retry-After"], body) == ("900", b"")
    date = parsedate_to_datetime(rejection["Date"]).timestamp()
    assert date == pytest.approx(time.time() - 86_400, abs=10)


def test_the_options_of_a_limit_are_the_ones_there_are():
    """
    They stand in the command too, so that its help does not start the emulator.
    """
    assert _rate.KINDS == limits.KINDS
    assert _rate.HEADERS == limits.HEADERS
    assert _rate.SCOPES == limits.SCOPES
    options = {option.name for option in emulate_command.params}
    for attribute in attrs.fields(limits.RateLimit):
        if attribute.name not in {"rate", "per"}:
            assert f"limit_{attribute.name}" in options


@pytest.mark.parametrize("version", ["2.0", "3.1"])
def test_the_document_can_be_of_another_version(version):
    """
    The export lines work whichever the vendor hands out.
    """
    emulate = Emulate("--document-version", version, "--items", "7")
    with urllib.request.urlopen(emulate.variables["HEALTHYROSTER_SWAGGER"]) as answer:
        document = json.load(answer)
    sources = run("sources", "1", variables=emulate.variables)
    _, errors = emulate.stop()

    told = document.get("swagger", document.get("openapi", ""))
    assert told.startswith(version)
    assert sources.returncode == 0, sources.stderr
    assert "43 endpoints" in errors


def test_with_two_environments_none_is_assumed():
    """
    Calling production by accident is worse than being asked.
    """
    emulate = Emulate("--environment", "both", "--key-casing", "pascal")
    variables = dict(emulate.variables)
    named = run("sources", "1", variables=variables)
    del variables["HEALTHYROSTER_ENVIRONMENT"]
    assumed = run("sources", "1", variables=variables)
    chosen = run("sources", "1", "--environment", "production", variables=variables)
    emulate.stop()

    assert (named.returncode, chosen.returncode) == (0, 0)
    assert assumed.returncode == 2
    assert "give --environment sandbox or --environment production" in assumed.stderr


def test_a_table_in_a_pipe_is_cut_nowhere(call, variables):
    """
    What is piped is searched and compared, whatever the width of a terminal.
    """
    done = run("describe", "1", "encounters", variables=variables)

    detail = json.loads(
        call("describe", "1", "2", "--json", variables=variables).stdout
    )
    assert done.returncode == 0
    for column in detail["fields"]:
        assert re.search(
            rf"^{column['name']} .*{column['description']}", done.stdout, re.MULTILINE
        )
    for parameter in detail["parameters"]:
        assert parameter["name"] in done.stdout


def test_the_description_is_found_by_id_and_by_name(call, variables):
    """
    Ids are what the API wants, names are what people know.
    """
    by_id, by_name = (
        call("describe", "1", source, "--json", variables=variables)
        for source in ("4", "incident REPORTS")
    )

    assert by_id.returncode == by_name.returncode == 0
    assert json.loads(by_id.stdout) == json.loads(by_name.stdout)


@pytest.mark.parametrize(
    ("arguments", "changed", "code", "told"),
    [
        (["sources", "2"], {}, 3, "no access (403)"),
        (["describe", "3", "1"], {}, 3, "no access (403)"),
        (
            ["sources", "1"],
            {"HEALTHYROSTER_SANDBOX_APPLICATION_SECRET": "no"},
            3,
            "401",
        ),
        (["sources", "99"], {}, 1, "no Healthcare Provider with the id '99' (404)"),
        (["describe", "99", "1"], {}, 1, "no Healthcare Provider with the id '99'"),
        (["describe", "99", "Teams"], {}, 1, "no Healthcare Provider with the id"),
        (["describe", "1", "99"], {}, 1, "there are: 1 (Patients), 2"),
        (["describe", "1", "nothing"], {}, 1, "there is no data source 'nothing'"),
        (["sources", ".."], {}, 2, "provider_id"),
        (["sources", "1"], {"HEALTHYROSTER_SWAGGER": "/not/there"}, 2, "swagger"),
        (["sources", "1", "--profile", "none"], {"HOME": "/nobody"}, 2, "profile"),
        (["sources", "1", "--environment", "production"], {}, 2, "production"),
        (["sources"], {}, 2, "Missing argument 'PROVIDER'"),
        (["nothing"], {}, 2, "No such command 'nothing'"),
        (["demo", "--providers", "0"], {}, 2, "--providers"),
        (["demo", "--rate-limit", "fast"], {}, 2, "give one such as 20/1"),
        (["emulate", "--rate-limit", "0/1"], {}, 2, "above 0"),
        (["emulate", "--deny", "1:everything"], {}, 2, "endpoint is 'everything'"),
        (["emulate", "--deny", "1:get_patent"], {}, 2, "did you mean get_patient"),
        (["emulate", "--document-version", "3"], {}, 2, "--document-version"),
        (["emulate", "--items", "-1"], {}, 2, "--items"),
        (["emulate", "--deny", "999"], {}, 2, "'999' names no Healthcare Provider"),
        (["emulate", "--deny", ":rows"], {}, 2, "':rows' names no Healthcare Prov"),
        (["emulate", "--deny", "*:rows", "--deny", "x"], {}, 2, "'x' names no"),
        (["emulate", "--envelope", ""], {}, 2, "envelope is ''"),
        (["emulate", "--limit-kind", "window"], {}, 2, "give --rate-limit too"),
        (["emulate", "--limit-aligned"], {}, 2, "give --rate-limit too"),
        (
            ["emulate", "--rate-limit", "9/1", "--limit-kind", "firewall"],
            {},
            2,
            "RateLimit.block is missing",
        ),
        (["emulate", "--limit-block", "0"], {}, 2, "--limit-block"),
        (["emulate", "--capacity", "0"], {}, 2, "--capacity"),
        (["emulate", "--clock-skew", "nan"], {}, 2, "clock_skew"),
    ],
)
def test_whatever_goes_wrong_is_one_line_and_an_exit_code(  # noqa: PLR0917 - a table
    call, variables, arguments, changed, code, told
):
    """
    Scripts decide by the code, people by the line; nobody needs a traceback.
    """
    done = call(*arguments, variables={**variables, **changed})

    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert (done.returncode, done.stdout) == (code, "")
    assert len(lines) == 1
    assert told in lines[0]


def test_the_exit_code_of_an_error_reaches_the_shell(variables):
    """
    The table above asks the command; this asks the process.
    """
    done = run("sources", "2", variables=variables)

    assert (done.returncode, done.stdout) == (3, "")
    assert re.fullmatch(r"error: .*no access \(403\).*\n", done.stderr)


def test_a_taken_port_is_told(variables):
    """
    It is what happens to everyone who starts it twice.
    """
    port = re.search(r":(\d+)/", variables["HEALTHYROSTER_SWAGGER"])[1]
    done = run("emulate", "--port", port)

    assert done.returncode == 2
    assert "give another port, or 0 for a free one" in done.stderr


def test_help_documents_every_exit_code():
    """
    A code that is written nowhere cannot be relied on.
    """
    done = run("--help")

    assert done.returncode == 0
    for code in (0, 1, 2, 3, 130, 141, 143):
        assert re.search(rf"^ *{code}  ", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("package", ["click", "rich", "rich_click"])
def test_without_its_extra_the_command_says_what_to_install(package):
    """
    The console script is there even if only the library was installed.
    """
    code = (
        f"import sys; sys.modules[{package!r}] = None;"
        "from healthyroster_async.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=clean_environment(),
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        'the healthyroster command needs the extra "cli": '
        "pip install 'healthyroster-async[cli]'\n"
    )


def test_whoever_has_no_settings_yet_is_told_how_to_try_it(call, monkeypatch, tmp_path):
    """
    It is what a newcomer types first; whoever has settings needs no such advice.
    """
    for name in [name for name in os.environ if name.startswith("HEALTHYROSTER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    newcomer = call("sources", "1")
    user = call("sources", "1", variables={"HEALTHYROSTER_ENVIRONMENT": "sandbox"})

    assert (newcomer.returncode, user.returncode) == (2, 2)
    assert newcomer.stderr.startswith("error: no credentials: set HEALTHYROSTER_")
    assert '"healthyroster emulate"' in newcomer.stderr.splitlines()[1]
    assert len(user.stderr.splitlines()) == 1
