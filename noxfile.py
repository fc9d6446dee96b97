"""What is checked, and how: ``nox`` runs it all, ``nox -s tests`` a part."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
OLDEST, NEWEST = PYTHONS[0], PYTHONS[-1]

PRISM = "@stoplight/prism-cli@5.14.2"

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv"
nox.options.error_on_external_run = True
nox.options.reuse_venv = "yes"
# Whoever has one Python can still pass the tests; what was left out is printed.
nox.options.error_on_missing_interpreters = False
nox.options.sessions = [
    "lint", "layers", "types", "tests", "extras", "coverage", "build", "docs"
]  # fmt: skip

# Else each of the many processes that tests start compiles all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

if shutil.which("pyenv"):
    # pyenv hides the Pythons that are not selected; select every one it has.
    found = subprocess.run(
        ["pyenv", "versions", "--bare"],  # noqa: S607 - it is on the path by design
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    has = [v for p in PYTHONS for v in found if v.startswith(f"{p}.")]
    if has:
        os.environ.setdefault("PYENV_VERSION", ":".join(has))


def install(session: nox.Session, *groups: str, extras: str = "cli,speedups") -> None:
    """Install the project as a user gets it, and what a session needs besides."""
    packages = nox.project.dependency_groups(PROJECT, *groups)
    ours = "--reinstall-package=healthyroster-async"
    session.install(ours, f".[{extras}]" if extras else ".", *packages)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests; arguments go to pytest."""
    install(session, "tests")
    # Measuring costs half the time, and every Python runs the same lines.
    measured = ("coverage", "run", "-m") if session.python == OLDEST else ()
    # Many tests wait for clocks and processes, more than two cores have to do.
    # The files that take longest come first: else one core rests at the end.
    side_by_side = ("--numprocesses=4", "--dist=loadfile", "--no-loadscope-reorder")
    session.run(*measured, "pytest", *side_by_side, *session.posargs)


@nox.session(python=OLDEST)
def extras(session: nox.Session) -> None:
    """Run the tests of the integrations; arguments go to pytest."""
    install(session, "tests", "extras")
    measured = ("coverage", "run", "-m")
    side_by_side = ("--numprocesses=2", "--dist=loadfile")
    session.run(*measured, "pytest", *side_by_side, "tests/extras", *session.posargs)


@nox.session(python=OLDEST)
def coverage(session: nox.Session) -> None:
    """Combine what the tests and the processes they started covered."""
    session.install(*nox.project.dependency_groups(PROJECT, "tests"))
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session(python=OLDEST)
def tests_min_deps(session: nox.Session) -> None:
    """Run the tests with the lowest versions that the metadata allows."""
    session.install(
        "--resolution=lowest-direct",
        ".[cli,speedups]",
        *nox.project.dependency_groups(PROJECT, "tests"),
    )
    session.run("pytest", *session.posargs)


@nox.session(python=NEWEST)
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session(python=OLDEST)
def types(session: nox.Session) -> None:
    """Check the types, ours and those that users see."""
    install(session, "types", "lint", "tests", "extras", "bench", "lab")
    session.install("nox")
    # Else it takes the packages of an environment that happens to lie in the folder.
    check = ("basedpyright", "--pythonpath", f"{session.bin}/python")
    checks = [
        ("mypy",),
        check,
        (*check, "--verifytypes", "healthyroster_async", "--ignoreexternal"),
        ("pytest", "tests/typing/check_generated.py"),
    ]
    # Each works on one core, and the first that fails fails the session.
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda one: session.run(*one), checks))


@nox.session(python=OLDEST)
def layers(session: nox.Session) -> None:
    """Check that imports go down the floor plan, and that every module has a floor."""
    install(session, "layers")
    session.run("lint-imports")


@nox.session(python=OLDEST)
def build(session: nox.Session) -> None:
    """Build the wheel, look into it, and run the tests against it elsewhere."""
    session.install("uv")
    dist = Path(session.create_tmp()) / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    session.run("uv", "build", "--quiet", "--out-dir", str(dist))
    (wheel,) = dist.glob("*.whl")
    session.run("python", "tests/check_wheel.py", str(wheel))
    session.install("--force-reinstall", str(wheel))
    session.chdir(session.create_tmp())
    session.run("python", "-c", "import healthyroster_async as h; print(h.__version__)")


@nox.session(python=NEWEST)
def docs(session: nox.Session) -> None:
    """Build the documentation; what is missing or leads nowhere is an error."""
    # The reference is made of the modules, which import what they integrate.
    install(session, "docs", extras="fastapi,litestar,opentelemetry")
    options = ("--fail-on-warning", "--keep-going", "--fresh-env", "--quiet")
    session.run("sphinx-build", *options, "docs", "docs/_build")


@nox.session(python=OLDEST)
def demo(session: nox.Session) -> None:
    """Run the main job against a local Healthy Roster."""
    install(session)
    session.run("healthyroster", "demo", *session.posargs)


@nox.session(python=NEWEST)
def bench(session: nox.Session) -> None:
    """Measure against peers; needs nginx and a quiet machine."""
    install(session, "bench")
    session.run("python", "benchmarks/calls.py", *session.posargs)
    session.run("python", "benchmarks/imports.py")


@nox.session(python=NEWEST)
def prism(session: nox.Session) -> None:
    """Call a mock server that nobody here wrote; needs Node 20.

    Arguments are folders with more documents, as is HEALTHYROSTER_DOCUMENTS; ``--all``
    also calls what would change something.
    """
    if shutil.which("npm") is None or shutil.which("node") is None:
        session.error("Prism needs Node 20 and npm, and they are not on the path")
    install(session, extras="yaml")
    folder = session.create_tmp()
    wanted = ("--no-audit", "--no-fund", "--loglevel=error", "--prefix", folder)
    session.run("npm", "install", *wanted, PRISM, external=True)
    more = filter(None, [os.environ.get("HEALTHYROSTER_DOCUMENTS")])
    command = ("--prism", f"{folder}/node_modules/.bin/prism")
    session.run("python", "benchmarks/prism.py", *command, *session.posargs, *more)


@nox.session(python=NEWEST)
def browser(session: nox.Session) -> None:
    """Look at reports in a real browser; needs Chromium, or its path in CHROMIUM.

    The argument is the folder for the pages and their screenshots.
    """
    install(session, "tests")
    folder = session.posargs or [f"{session.create_tmp()}/reports"]
    session.run("python", "tests/browser/look.py", *folder)


@nox.session(python=NEWEST)
def lab(session: nox.Session) -> None:
    """Print the table of the pacing laboratory, with ``-- --peers`` all of it."""
    install(session, "lab")
    session.run("python", "benchmarks/pacing/run.py", *session.posargs)
