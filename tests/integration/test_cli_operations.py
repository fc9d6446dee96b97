"""The commands that are about the swagger document, and the one that calls."""

import http.server
import json
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import written_documents as documents

from healthyroster_async.cli.app import app

COMMAND = [sys.executable, "-m", "healthyroster_async"]
PATIENTS = [{"patientId": n, "name": f"Patient {n}"} for n in (1, 2, 3)]


class Clinic(http.server.BaseHTTPRequestHandler):
    """Answers what our document promises."""

    seen: list

    def _answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.seen.append((self.command, self.path, self.rfile.read(length)))
        media, body, status = "application/json", b"null", 200
        if self.path.endswith("/Photo"):
            media, body = "image/png", b"\x89PNG\x00"
            if self.command == "PUT":
                status, body = 204, b""
        elif self.path.startswith("/HealthcareProvider/5/"):
            media, body = "application/x-ndjson", b'{"a": 1}\n{"a": 2}\n'
        elif self.path.startswith("/HealthcareProvider/9/"):
            status, body = 403, b"{}"
        elif self.path.startswith("/HealthcareProvider/8/"):
            status, body = 400, b'{"errors": {"dob": ["is a canary\x1b[2J"]}}'
        elif self.command == "GET":
            _, _, page = self.path.partition("page=")
            body = json.dumps(PATIENTS if page in {"", "1"} else []).encode()
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the base class names them

    def log_message(self, *_):
        """Say nothing: the test reads what is written."""


@pytest.fixture
def clinic(tmp_path, monkeypatch):
    """Serve our document's API, and let the settings lead to it."""
    handler = type("Handler", (Clinic,), {"seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    (tmp_path / "swagger.json").write_text(json.dumps(documents.clinic()))
    for name, value in {
        "SWAGGER": str(tmp_path / "swagger.json"),
        "SANDBOX_BASE_URL": f"http://127.0.0.1:{server.server_port}",
        "SANDBOX_APPLICATION_ID": "app-1",
        "SANDBOX_APPLICATION_SECRET": "s3cr3t",
    }.items():
        monkeypatch.setenv(f"HEALTHYROSTER_{name}", value)
    monkeypatch.chdir(tmp_path)
    yield handler
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def document(tmp_path, monkeypatch):
    """Write our document, with no other setting."""
    for name in list(os.environ):
        if name.startswith("HEALTHYROSTER_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "swagger.json").write_text(json.dumps(documents.clinic()))
    return "swagger.json"


@pytest.fixture
def call(capfdbinary):
    """Run the command in this process."""

    def made(*arguments):
        with pytest.raises(SystemExit) as ended:
            app.main(arguments, prog_name="healthyroster")
        written = capfdbinary.readouterr()
        code = ended.value.code
        return subprocess.CompletedProcess(
            arguments, code, written.out, written.err.decode()
        )

    return made


def text(done):
    return done.stdout.decode()


def test_operations_are_listed_without_credentials(call, document):
    """
    What an API can do is looked up before anybody has access to it.
    """
    done = call("operations", "--swagger", document)

    assert (done.returncode, done.stderr) == (0, "")
    for name in ("get_patients", "add_patient", "get_photo", "put_photo"):
        assert name in text(done)
    assert "(deprecated)" in text(done)
    assert "\x1b" not in text(done)


@pytest.mark.parametrize(
    ("search", "names"),
    [
        (["PHOTO"], ["get_photo", "put_photo"]),
        (["add", "patient"], ["add_patient"]),
        (["--tag", "patients"], ["get_patients", "add_patient"]),
    ],
)
def test_operations_are_found_by_words_and_tags(call, document, search, names):
    """
    Nobody knows 300 names by heart.
    """
    done = call("operations", *search, "--swagger", document, "--json")

    assert [one["name"] for one in json.loads(done.stdout)] == names


def test_one_operation_is_shown_with_all_that_is_known(call, document):
    """
    It is what a call needs, and what it gets.
    """
    shown = text(call("operations", "GetPatients", "--swagger", document))
    done = call("operations", "get_patients", "--swagger", document, "--json")
    detail = json.loads(done.stdout)

    for words in ("organizationId", "One of active, former.", "by page", "birth_date"):
        assert words in shown
    assert detail["arguments"][0] | {"description": ""} == {
        "name": "organizationId",
        "type": "int",
        "where": "query",
        "required": True,
        "enum": [],
        "default": None,
        "description": "",
    }
    assert detail["answer"] == "list[Patient]"
    assert detail["provider"] == "id"


def test_what_is_not_found_is_told_with_what_is_near(call, document):
    """
    It is a slip of the finger, most of the time.
    """
    done = call("operations", "get_patiens", "--swagger", document)

    assert done.returncode == 1
    assert "did you mean get_patients" in done.stderr
    assert call("operations").returncode == 2


def test_a_call_prints_the_answer_as_the_api_wrote_it(call, clinic):
    """
    Pipes go on with it, under the names that the vendor documents.
    """
    done = call("call", "GetPatients", "7", "organizationId=3", "teams=a,b")

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == PATIENTS
    ((method, path, _),) = clinic.seen
    assert method == "GET"
    assert path == "/HealthcareProvider/7/Patients?organizationId=3&teams=a&teams=b"


def test_lines_of_json_are_printed_as_they_came(call, clinic):
    """
    They are no one value, and a call that succeeded must not end in an error.
    """
    done = call("call", "GetPatients", "5", "organizationId=3")

    assert (done.returncode, done.stderr) == (0, "")
    assert text(done) == '{"a": 1}\n{"a": 2}\n'


def test_pages_come_as_a_line_for_each_item(call, clinic):
    """
    A long list needs no memory then, here and in the next program.
    """
    done = call("call", "get_patients", "7", "organizationId=3", "--pages")

    assert [json.loads(line) for line in text(done).splitlines()] == PATIENTS


def test_a_program_gets_utf8_whatever_the_locale(clinic, monkeypatch):
    """
    Windows and a cron job have other encodings; JSON has one.
    """
    monkeypatch.setitem(PATIENTS[0], "name", "Zoë Łukasz")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    arguments = ["call", "get_patients", "7", "organizationId=3", "--pages"]
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert [json.loads(line) for line in done.stdout.splitlines()] == PATIENTS


def test_a_body_may_begin_with_a_byte_order_mark(call, clinic, tmp_path):
    """
    Notepad and PowerShell write one.
    """
    (tmp_path / "body.json").write_text('{"name": "Ada"}', encoding="utf-8-sig")
    done = call("call", "add_patient", "7", "--body", "body.json", "--yes")

    assert done.returncode == 0
    assert clinic.seen[0][2] == b'{"name":"Ada"}'


def test_what_may_change_data_needs_a_yes(call, clinic):
    """
    In a script nobody reads the question.
    """
    asked = call("call", "add_patient", "7", "--body", '{"name": "Ada"}')
    done = call("call", "add_patient", "7", "--body", '{"name": "Ada"}', "--yes")

    assert asked.returncode == 2
    assert "--yes" in asked.stderr
    assert done.returncode == 0
    assert clinic.seen == [
        ("POST", "/HealthcareProvider/7/Patients", b'{"name":"Ada"}'),
    ]


def test_a_person_is_asked_before_something_may_change(clinic):
    """
    And a no is a no.
    """
    controller, terminal = pty.openpty()
    command = [*COMMAND, "call", "add_patient", "7", "--body", "{}"]
    process = subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    seen = b""
    while b"?" not in seen:
        seen += os.read(controller, 1024)
    os.write(controller, b"n\n")
    code = process.wait(timeout=30)
    os.close(controller)

    assert code == 1
    assert b"may change data" in seen
    assert clinic.seen == []


def test_what_was_not_accepted_is_explained_to_a_person_only(call, clinic):
    """
    Nobody can mend an argument without knowing which; a log is not to know a patient.
    """
    controller, terminal = pty.openpty()
    command = [*COMMAND, "call", "add_patient", "8", "--body", "{}", "--yes"]
    process = subprocess.Popen(command, stderr=terminal)
    os.close(terminal)
    seen = b""
    while b"above" not in seen:
        seen += os.read(controller, 1024)
    os.close(controller)
    unseen = call("call", "add_patient", "8", "--body", "{}", "--yes")

    assert process.wait(timeout=30) == unseen.returncode == 1
    assert b"is a canary?[2J" in seen
    assert b"(400), and says what is above" in seen
    assert b"canary" not in unseen.stdout
    assert "canary" not in unseen.stderr
    assert "(400); why is shown on a terminal only" in unseen.stderr


def test_pages_move_no_cursor_of_a_terminal(clinic, monkeypatch):
    """
    A name could hide the one beside it.
    """
    monkeypatch.setitem(PATIENTS[0], "name", "canary\x9b2J")
    controller, terminal = pty.openpty()
    command = [*COMMAND, "call", "get_patients", "7", "organizationId=1", "--pages"]
    process = subprocess.Popen(command, stdout=terminal, stderr=terminal)
    os.close(terminal)
    seen = b""
    while b"Patient 3" not in seen:
        seen += os.read(controller, 1024)
    os.close(controller)

    assert process.wait(timeout=30) == 0
    assert rb"canary\u009b2J" in seen


def test_files_are_sent_and_received(call, clinic, tmp_path):
    """
    Pictures and scans are part of a record.
    """
    (tmp_path / "x.png").write_bytes(b"picture")
    sent = call(
        "call", "put_photo", "7", "patientId=1", "--file", "photo=x.png", "--yes"
    )
    received = call("call", "get_photo", "7", "patientId=1")
    kept = call("call", "get_photo", "7", "patientId=1", "--output", "y.png")

    assert (sent.returncode, sent.stdout) == (0, b"")
    assert b'filename="x.png"' in clinic.seen[0][2]
    assert received.stdout == b"\x89PNG\x00"
    assert kept.stdout == b""
    assert (tmp_path / "y.png").read_bytes() == b"\x89PNG\x00"


def test_a_file_is_written_whole_or_stays_as_it_was(call, clinic, tmp_path):
    """
    A list that breaks off on its third page is no list.
    """
    items = tmp_path / "items.ndjson"
    pages = [*COMMAND, "call", "get_patients", "--pages", "--output", str(items)]
    rest = "organizationId=1"
    first = subprocess.run([*pages, "7", rest], capture_output=True, check=False)
    whole = items.read_bytes()
    items.chmod(0o600)
    second = subprocess.run([*pages, "9", rest], capture_output=True, check=False)
    piped = call("call", "get_photo", "7", "patientId=1", "--output", "/dev/stdout")

    assert (first.returncode, second.returncode, piped.returncode) == (0, 3, 0)
    assert len(whole.splitlines()) == len(PATIENTS)
    assert items.read_bytes() == whole
    again = subprocess.run([*pages, "7", rest], capture_output=True, check=False)
    assert (again.returncode, items.stat().st_mode & 0o777) == (0, 0o600)
    assert [p.name for p in tmp_path.iterdir() if "partial" in p.name] == []
    assert piped.stdout == b"\x89PNG\x00"


def test_the_home_of_a_path_is_found_where_no_shell_does(
    call, clinic, tmp_path, monkeypatch
):
    """
    A shell looks for it at the beginning of a word, and not in --output=~/y.png.
    """
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    (home / "x.png").write_bytes(b"picture")
    photo = ["put_photo", "7", "patientId=1", "--file", "photo=~/x.png", "--yes"]
    done = [
        call("call", *photo),
        call("call", "get_photo", "7", "patientId=1", "--output=~/y.png"),
        call("contract", "generate", "--out=~/clinic_api", "swagger.json"),
    ]

    assert [one.returncode for one in done] == [0, 0, 0]
    assert b'filename="x.png"' in clinic.seen[0][2]
    assert (home / "y.png").read_bytes() == b"\x89PNG\x00"
    assert (home / "clinic_api" / "__init__.py").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["get_patients", "7"], 2, "is missing organizationId"),
        (["get_patients", "7", "organizationId=x"], 2, "no integer"),
        (["get_patients", "7", "organizationId=1", "status=x"], 2, "is none of"),
        (["get_patients", "9", "organizationId=1"], 3, "403"),
        (["get_patienst", "7"], 2, "did you mean get_patients"),
        (["get_photo", "7", "patientId=1", "--pages"], 2, "does not say how"),
        (["get_patients", "7", "--pages", "--raw"], 2, "cannot be --raw"),
        (["put_photo", "7", "patientId=1", "--file", "photo=no"], 2, "No such file"),
        (["get_photo", "7", "patientId=1", "--output", "no/y"], 2, "cannot be written"),
        (["add_patient", "7", '{"name": "canary"}'], 2, "or a body with --body"),
        (["add_patient", "7", "--body", "name=canary"], 2, "--body is no JSON"),
        (["add_patient", "7", "--body", "canary" * 99], 2, "--body is no JSON"),
    ],
)
def test_a_call_that_fails_says_why_in_one_line(call, clinic, arguments, code, words):
    """
    The exit code is for programs, the line for people.
    """
    done = call("call", *arguments)

    assert done.returncode == code
    assert words in done.stderr.splitlines()[0]
    assert done.stderr.startswith("error: ")
    assert "canary" not in done.stderr
    assert done.stdout == b""
    assert bool(clinic.seen) == (code == 3)


def test_a_check_says_whether_a_pool_can_be_made(call, document):
    """
    It is asked in CI, each time the vendor sends a document.
    """
    good = call("contract", "check", document)
    report = json.loads(call("contract", "check", document, "--json").stdout)
    raw = documents.clinic()
    del raw["servers"]
    Path("open.json").write_text(json.dumps(raw), encoding="utf-8")
    bad = call("contract", "check", "open.json")

    assert good.returncode == 0
    assert "X-Application-Secret (declared as an API key)" in text(good)
    assert report["usable"]
    assert report["operations"]["total"] == 4
    assert bad.returncode == 2
    assert "HEALTHYROSTER_SANDBOX_BASE_URL" in text(bad)


@pytest.mark.parametrize(
    "junk", [b"", b"\xff\xfe\x00", b"{}", b"[1]", b'{"swagger": 7}']
)
def test_junk_is_refused_in_one_line(call, document, tmp_path, junk):
    """
    A login page saved as swagger.json is the usual case.
    """
    (tmp_path / "junk").write_bytes(junk)
    for command in (["check", "junk"], ["diff", "junk", "junk"]):
        done = call("contract", *command)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1


def test_a_diff_fails_if_something_breaks(call, document):
    """
    Then CI stops the update, and says what to talk about with the vendor.
    """
    raw = documents.clinic()
    path = "/HealthcareProvider/{id}/Patients"
    raw["paths"][path]["get"]["parameters"][4]["required"] = True
    raw["paths"]["/Teams"] = {"get": {}}
    Path("new.json").write_text(json.dumps(raw), encoding="utf-8")
    worse = call("contract", "diff", document, "new.json")
    better = call("contract", "diff", "new.json", document, "--json")
    same = call("contract", "diff", document, document)

    assert worse.returncode == 1
    assert "Breaks (1)" in text(worse)
    assert "get_patients: the argument page is required now" in text(worse)
    assert json.loads(better.stdout)["breaks"]  # an operation is gone
    assert (same.returncode, text(same)) == (0, "Callers notice nothing.\n")


def test_a_package_is_written_again_but_over_nothing_else(call, document, tmp_path):
    """
    A folder with somebody's own code is not ours to write into.
    """
    first = call("contract", "generate", "--out", "clinic_api", document)
    written = {p.name: p.read_bytes() for p in (tmp_path / "clinic_api").iterdir()}
    second = call("contract", "generate", "--out", "clinic_api", document)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "__init__.py").write_text("print('own')")
    refused = call("contract", "generate", "--out", "own", document)
    unnamed = call("contract", "generate", "--out", "clinic-api", document)

    assert (first.returncode, second.returncode) == (0, 0)
    assert set(written) == {"__init__.py", "models.py", "operations.py", "py.typed"}
    assert written == {
        p.name: p.read_bytes() for p in (tmp_path / "clinic_api").iterdir()
    }
    assert (refused.returncode, unnamed.returncode) == (2, 2)
    assert "holds something else" in refused.stderr
    assert "cannot be imported" in unnamed.stderr
    assert len(list((tmp_path / "own").iterdir())) == 1


def test_a_reader_that_stops_reading_is_no_reason_to_complain(document):
    """
    `| head -1` is how people look at long lists.
    """
    command = f"set -o pipefail; '{sys.executable}' -m healthyroster_async operations"
    done = subprocess.run(
        ["bash", "-c", f"{command} --swagger {document} | true"],
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (141, b"")
