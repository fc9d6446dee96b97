"""``healthyroster config``: profiles made, shown and checked, against a real API."""

import asyncio
import io
import json
import os
import select
import signal
import stat
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

import keyring
import pytest
from keyring.backends import fail, null
from own_keyring import OwnKeyring

from healthyroster_async import Environment, _config, _profiles
from healthyroster_async._profiles import profile_file
from healthyroster_async.cli.app import app
from healthyroster_async.emulator import Emulator

SANDBOX, PRODUCTION = Environment.SANDBOX, Environment.PRODUCTION
SECRET = "s3cr3t-of-the-sandbox"
# What somebody wrote by hand, with settings of a later version in it.
WRITTEN = """\
# mine
[other]
environment = "production"  # not yet
application_id = "app-2"

[later]
colour = "blue"
"""


@pytest.fixture
def use_keyring():
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


@pytest.fixture(scope="module")
def emulator():
    """Run a local Healthy Roster on a loop of its own; commands have theirs."""
    emulator = Emulator(environments=[SANDBOX, PRODUCTION], denied=[(2, "*")])
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(emulator.start(), loop).result()
    yield emulator
    asyncio.run_coroutine_threadsafe(emulator.close(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def file():
    file = profile_file(os.environ)
    file.parent.mkdir(exist_ok=True)
    return file


@pytest.fixture
def config(monkeypatch, capsys):
    """Run ``healthyroster config`` in this process: faster, and it returns the same."""
    for name in [name for name in os.environ if name.startswith("HEALTHYROSTER_")]:
        monkeypatch.delenv(name)

    def made(*arguments, given="", **variables):
        with monkeypatch.context() as context:
            for name, value in variables.items():
                context.setenv(name, value)
            context.setattr("sys.stdin", io.StringIO(given))
            with pytest.raises(SystemExit) as ended:
                app.main(["config", *map(str, arguments)], prog_name="healthyroster")
        written = capsys.readouterr()
        return subprocess.CompletedProcess(
            arguments, ended.value.code, written.out, written.err
        )

    return made


@pytest.fixture
def clinic(config, emulator, tmp_path):
    """Make a profile that works."""
    own = emulator.credentials[SANDBOX]
    settings = (
        "environment=sandbox",
        f"swagger={emulator.swagger_url}",
        f"application_id={own.application_id}",
    )
    assert config("set", "clinic", *settings).returncode == 0
    secret = f"{own.application_secret.reveal()}\n"
    place = ("--file", tmp_path / "kept")
    assert config("secret", "clinic", *place, given=secret).returncode == 0


def rows(done):
    return {r["setting"]: (r["value"], r["from"]) for r in json.loads(done)["settings"]}


def test_a_profile_is_made_and_changed_and_nothing_else_is_lost(config, file):
    """
    The file is also written by hand, and by other versions.
    """
    file.write_text(WRITTEN)
    made = config("set", "clinic", "environment=sandbox", "application_id=app=1")
    changed = config("set", "clinic", "application_id=", "host=sandbox.test")
    text = file.read_text()

    assert (made.returncode, changed.returncode) == (0, 0)
    assert made.stderr.startswith("Made the profile 'clinic'")
    assert changed.stderr.startswith("Changed the profile 'clinic'")
    assert text.startswith(WRITTEN)
    assert tomllib.loads(text)["clinic"] == {
        "environment": "sandbox",
        "host": "sandbox.test",
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_link_to_the_file_stays_one(config, file, tmp_path):
    """
    Some keep all their settings in one repository.
    """
    real = tmp_path / "real.toml"
    real.write_text(WRITTEN)
    file.symlink_to(real)
    config("set", "other", "application_id=app-3")

    assert file.is_symlink()
    assert 'application_id = "app-3"' in real.read_text()


def test_relative_paths_are_those_of_the_folder_they_were_given_in(
    config, file, tmp_path, monkeypatch
):
    """
    A profile is used from anywhere.
    """
    monkeypatch.chdir(tmp_path)
    config("set", "clinic", "swagger=api.json", "environment=sandbox")
    config("set", "clinic", "application_secret_file=~/kept")
    held = tomllib.loads(file.read_text())["clinic"]

    assert held["swagger"] == str(tmp_path / "api.json")
    assert held["application_secret_file"] == "~/kept"


def test_one_place_of_the_secret_makes_room_for_the_next(config, file):
    """
    Two places would be two secrets, and nobody knows which one is meant.
    """
    config("set", "clinic", "sandbox_application_id=", "environment=sandbox")
    config("set", "clinic", "application_secret_command=pass clinic")
    done = config("set", "clinic", "application_secret_keyring=healthyroster/clinic")

    assert "application_secret_command was taken out" in done.stderr
    assert "command" not in file.read_text()


def test_the_names_of_variables_make_room_for_those_of_the_profile(config, file):
    """
    A profile that was written earlier can be changed like any other.
    """
    file.write_text('[clinic]\nsandbox_application_id = "app-1"\n')
    config("set", "clinic", "application_id=app-2", "environment=sandbox")

    assert tomllib.loads(file.read_text())["clinic"] == {
        "application_id": "app-2",
        "environment": "sandbox",
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["set", "x", f"application_secret={SECRET}"], "config secret x"),
        (["set", "x", f"sandbox_application_secret={SECRET}"], "config secret x"),
        (["set", "x", f"sEcret={SECRET}"], "no setting an argument; there are env"),
        (["set", "x", SECRET], "an argument has no value"),
        (["set", "x", "rows_key=a", "rows_key=b"], "'rows_key' is given twice"),
        (["set", "x", "application_id=app-1"], 'add environment = "sandbox"'),
        (["set", "x", "environment=staging"], "give sandbox or production"),
        (["set", "x", "environment=sandbox", "host=https://h"], "one such as api.ex"),
        (
            ["set", "x", "environment=sandbox", "host=h.test:99999"],
            "has a host that is",
        ),
        (
            ["set", "x", "environment=sandbox", "base_url=https://[::1"],
            "https://api.ex",
        ),
        (["set", "x", "environment=sandbox", "base_url=http://h.test"], "plain http"),
        (["set", "later", "rows_key=a"], "'later' in .* has ['colour']"),
        (["set", "x"], "Missing argument"),
        (["show", "x"], "has no profile 'x'; it has later, other"),
        (["check", "x"], "has no profile 'x'"),
        (["check"], "which profile? Give NAME; there is later, other"),
        (["check", "other"], "no secret of it; run: healthyroster config secret other"),
        (["remove", "x"], "there is no profile 'x'"),
        (["secret", "x"], "there is no profile 'x'"),
        (["secret", "other"], "application_secret is empty"),
        (["secret", "other", "--file", "/no/folder/x"], "application_secret is empty"),
        (["show", "--swagger", "/none"], "cannot be read"),
    ],
)
def test_what_is_wrong_is_one_line_and_the_file_stays_as_it_was(
    config, file, arguments, told
):
    """
    Half a change is worse than none; and a secret given by mistake is not shown.
    """
    file.write_text(WRITTEN)
    done = config(*arguments)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]

    assert done.returncode == 2
    assert len(lines) == 1
    for part in told.split(" .* "):
        assert part in lines[0]
    assert SECRET not in done.stderr
    assert file.read_text() == WRITTEN


def test_a_broken_file_is_neither_quoted_nor_written(config, file):
    """
    It can be mended by whoever broke it; what was in it is not ours to drop.
    """
    broken = f'[x]\nsecret = "{SECRET}'
    file.write_text(broken)
    for arguments in (["list"], ["set", "x", "environment=sandbox"], ["remove", "x"]):
        done = config(*arguments)

        assert (done.returncode, done.stdout) == (2, "")
        assert "it is no TOML (at line 2" in done.stderr or "end of" in done.stderr
        assert SECRET not in done.stderr
    assert file.read_text() == broken


def test_a_place_that_cannot_be_written_is_told(config, tmp_path):
    """
    A container has its settings mounted read-only; here a file is where a folder is.
    """
    (tmp_path / "file").touch()
    config("set", "clinic", "environment=sandbox")
    place = tmp_path / "file" / "kept"
    done = config("secret", "clinic", "--file", place, given=SECRET)

    assert done.returncode == 2
    assert f"error: {place} cannot be written: " in done.stderr


def test_the_list_says_where_the_file_is_and_what_is_wrong_in_it(config, file):
    """
    Who sees nothing in it looks for the file first.
    """
    none = config("list")
    file.write_text(WRITTEN)
    some = config("list", HEALTHYROSTER_PROFILE="other")
    listed = json.loads(config("list", "--json").stdout)

    assert (none.stdout, none.returncode) == (f"{file}\n", 0)
    assert '"healthyroster config set" makes one' in none.stderr
    assert "other (in use)   production" in some.stdout
    assert "warning: the profile 'later' in" in some.stderr
    assert listed["file"] == str(file)
    assert [one["name"] for one in listed["profiles"]] == ["other", "later"]


def test_what_only_reads_loads_neither_keyring_nor_writer():
    """
    Completion and prompts of shells run it all the time.
    """
    code = (
        "import sys; from healthyroster_async.cli.app import app\n"
        "try: app.main(['config', 'list'])\n"
        "finally: print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert "healthyroster_async.cli.config.list" in done.stdout
    assert not {"keyring", "tomlkit", "tomlkit.api"} & set(done.stdout.split())


def test_every_setting_is_shown_with_where_it_comes_from(config, clinic, emulator):
    """
    With four places, guessing which one won takes an afternoon.
    """
    header = {"HEALTHYROSTER_APPLICATION_ID_HEADER": "X-Own"}
    done = config("show", "clinic", "--json", **header)
    shown = rows(done.stdout)

    assert done.returncode == 0
    assert shown["profile"] == ("clinic", "argument NAME")
    assert shown["environment"] == ("sandbox", "profile 'clinic'")
    assert shown["application_id_header"] == (
        "X-Own",
        "variable HEALTHYROSTER_APPLICATION_ID_HEADER",
    )
    assert shown["application_secret_header"][1] == "swagger document"
    assert shown["sandbox base_url"] == (emulator.url, "swagger document")
    given = config("show", "clinic", "--swagger", emulator.swagger_url, "--json")
    assert rows(given.stdout)["swagger"][1] == "argument --swagger"


def test_of_a_secret_only_that_it_is_set_is_shown(config, file):
    """
    What is shown is pasted into tickets.
    """
    file.write_text('[c]\nenvironment = "sandbox"\n')
    config("set", "c", f"application_secret_command=vault --password {SECRET}")
    secret = {"HEALTHYROSTER_PRODUCTION_APPLICATION_SECRET": SECRET}
    done = config("show", "c", **secret)

    assert done.returncode == 2
    assert SECRET not in done.stdout + done.stderr
    assert "vault ... " in done.stdout
    assert "production application_secret       " in done.stdout


@pytest.mark.parametrize("command", ["show", "check"])
def test_a_misspelled_variable_is_told_without_its_value(config, clinic, command):
    """
    It is ignored, and calls go to the sandbox that were meant for elsewhere.
    """
    done = config(
        command,
        "clinic",
        HEALTHYROSTER_ENVIRONMENT="sandbox",
        HEALTHYROSTER_ENVIROMENT="production",
        HEALTHYROSTER_SANDBOX_APPLICATON_SECRET=SECRET,
        HEALTHYROSTER_COLOUR="blue",
    )

    assert done.returncode == 0
    told = [line for line in done.stderr.splitlines() if line.startswith("warning")]
    assert [line.split()[3] for line in told] == [
        "HEALTHYROSTER_COLOUR",
        "HEALTHYROSTER_ENVIROMENT",
        "HEALTHYROSTER_SANDBOX_APPLICATON_SECRET",
    ]
    assert "did you mean" not in told[0]
    assert "did you mean HEALTHYROSTER_ENVIRONMENT" in told[1]
    assert "did you mean HEALTHYROSTER_SANDBOX_APPLICATION_SECRET" in told[2]
    assert SECRET not in done.stdout + done.stderr


def test_a_variable_that_is_read_is_no_misspelling():
    """
    A warning about what is right teaches to look past all of them.
    """
    each = [f"{e.value}_{k}" for e in Environment for k in _profiles.EACH]
    keys = [*_profiles.SHARED, *each, "profile"]
    names = [f"HEALTHYROSTER_{key.upper()}" for key in keys]

    assert not list(_config.unknown([*names, "PATH", "HEALTHY_ROSTER"]))


@pytest.mark.parametrize(
    ("provider", "code", "says", "status"),
    [
        ([], 0, "credentials not refused", 404),
        (["--provider", "1"], 0, "accepted; provider 1 has 9 data sources", 200),
        (["--provider", "2"], 3, "credentials accepted; no grant for provider 2", 403),
        (["--provider", "99"], 1, "provider 99 is not known, or the base URL", 404),
    ],
)
def test_a_check_says_in_one_line_what_works(  # noqa: PLR0917 - a table
    config, clinic, emulator, provider, code, says, status
):
    """
    One call tells whether host, credentials and grant are right.
    """
    before = emulator.seen.by_status[status]
    done = config("check", "clinic", *provider)
    written = json.loads(config("check", "clinic", "--json", *provider).stdout)

    assert done.returncode == code
    assert len(done.stdout.splitlines()) == 1
    assert says in done.stdout
    assert written[0]["status"] == status
    assert written[0]["works"] is (code == 0)
    assert emulator.seen.by_status[status] == before + 2


def test_an_id_that_is_denied_proves_the_credentials(config, clinic, monkeypatch):
    """
    Whoever knows no id yet needs to know no more.
    """
    monkeypatch.setattr("healthyroster_async.cli.config.check._ANY_PROVIDER", "2")
    done = config("check", "clinic")

    assert done.returncode == 0
    assert "ok  sandbox" in done.stdout
    assert "credentials accepted" in done.stdout


def test_each_environment_has_a_line_whatever_happens_to_the_other(
    config, clinic, emulator, tmp_path
):
    """
    A secret that cannot be read says nothing about the other one.
    """
    (tmp_path / "kept").chmod(0o644)
    own = emulator.credentials[PRODUCTION]
    variables = {
        "HEALTHYROSTER_PRODUCTION_APPLICATION_ID": own.application_id,
        "HEALTHYROSTER_PRODUCTION_APPLICATION_SECRET": "wrong",
    }
    done = config("check", "clinic", **variables)
    first, second = done.stdout.splitlines()

    assert done.returncode == 1
    assert "chmod 600" in first
    assert "not ok  production" in second
    assert "credentials refused (401)" in second


def test_a_host_that_is_not_there_is_told(config, clinic, file):
    """
    It is the commonest reason of all.
    """
    config("set", "clinic", "base_url=http://127.0.0.1:1")
    done = config("check", "clinic")

    assert done.returncode == 1
    assert "no answer: no connection to 127.0.0.1:1" in done.stdout


def test_the_keyring_keeps_a_secret_and_forgets_it(config, clinic, use_keyring, file):
    """
    A secret that outlives its profile is found by the next owner of the laptop.
    """
    own = OwnKeyring()
    use_keyring(own)
    refused = config("secret", "clinic", given="wrong\n")
    checked = config("check", "clinic")
    removed = config("remove", "clinic")

    assert refused.stderr.splitlines()[-1] == (
        "Kept the secret of the profile 'clinic' in the keyring."
    )
    assert checked.returncode == 3
    assert "taken out of the keyring" in removed.stderr
    assert own.entries == {}
    assert "clinic" not in file.read_text()


def test_a_secret_of_somebody_else_stays_in_the_keyring(config, use_keyring):
    """
    Another program may need what it stored itself.
    """
    own = OwnKeyring()
    use_keyring(own)
    own.set_password("vault", "c", SECRET)
    config("set", "c", "environment=sandbox", "application_secret_keyring=vault/c")
    done = config("remove", "c")

    assert "stays in the keyring, under 'vault/c'" in done.stderr
    assert own.entries


@pytest.mark.parametrize("backend", [fail.Keyring, null.Keyring], ids=["fail", "null"])
def test_where_no_keyring_works_a_file_is_proposed(
    config, clinic, use_keyring, backend, file
):
    """
    Servers have none, and some containers have one that forgets.
    """
    before = file.read_text()
    use_keyring(backend())
    done = config("secret", "clinic", given=SECRET)

    assert done.returncode == 2
    assert "give --file PATH" in done.stderr
    assert file.read_text() == before


def test_a_secret_in_the_file_is_taken_out_when_it_is_kept(config, file, tmp_path):
    """
    The error that refuses it says to run this.
    """
    file.write_text(
        f'[c]\nenvironment = "sandbox"\nsandbox_application_secret = "{SECRET}"\n'
    )
    kept = tmp_path / "kept"
    done = config("secret", "c", "--file", kept, given=f"{SECRET}\n")

    assert done.returncode == 0
    assert SECRET not in file.read_text()
    assert kept.read_text() == f"{SECRET}\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_files_may_begin_with_a_byte_order_mark(config, file, tmp_path):
    """
    Notepad and PowerShell write one.
    """
    file.write_text(f"\ufeff{WRITTEN}")
    made = config("set", "c", "environment=sandbox")
    kept = config("secret", "c", "--file", tmp_path / "kept", given=f"\ufeff{SECRET}\n")

    assert (made.returncode, kept.returncode) == (0, 0)
    assert file.read_text().startswith(WRITTEN)
    assert (tmp_path / "kept").read_text() == f"{SECRET}\n"


@pytest.mark.parametrize("arguments", [["list"], ["set", "c", "environment=sandbox"]])
def test_a_user_without_a_home_is_told_what_to_set(arguments, config, monkeypatch):
    """
    A container's user may be in no list.
    """

    def homeless():
        raise RuntimeError

    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    done = config(*arguments)

    assert done.returncode == 2
    assert done.stderr == (
        "error: there is no folder for profiles; set HOME or XDG_CONFIG_HOME\n"
    )


def typed(text, *, then):
    """Run ``config secret`` on a terminal and type; return its end and the screen."""
    process, terminal = pytest.importorskip("pty").fork()
    if process == 0:
        command = [sys.executable, "-m", "healthyroster_async", "config", "secret", "c"]
        os.execv(command[0], [*command, "--file", os.environ["KEPT"]])
    screen = b""
    deadline = time.monotonic() + 30
    sent = False
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.1)[0]:
            if b"secret:" in screen and not sent:
                os.write(terminal, text)
                sent = True
            continue
        try:
            part = os.read(terminal, 1024)
        except OSError:  # the other end is gone
            break
        if not part:
            break
        screen += part
    else:
        os.kill(process, signal.SIGKILL)
    os.close(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert status == then
    return screen.decode()


def test_a_secret_is_asked_for_without_an_echo(config, tmp_path, monkeypatch):
    """
    Somebody may look over a shoulder, or scroll back.
    """
    kept = tmp_path / "kept"
    monkeypatch.setenv("KEPT", str(kept))
    config("set", "c", "environment=sandbox")
    screen = typed(f"{SECRET}\n".encode(), then=0)

    assert kept.read_text() == f"{SECRET}\n"
    assert SECRET not in screen


def test_an_interrupt_at_the_question_leaves_nothing(config, tmp_path, monkeypatch):
    """
    Who has the secret not at hand presses Ctrl-C.
    """
    monkeypatch.setenv("KEPT", str(tmp_path / "kept"))
    config("set", "c", "environment=sandbox")
    screen = typed(b"\x03", then=130)

    assert "Traceback" not in screen
    assert not (tmp_path / "kept").exists()
