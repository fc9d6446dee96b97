"""Notebooks: a real kernel runs the example, is interrupted, completes and ends."""

import json
import sys
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

from healthyroster_async.emulator import Emulator

EXAMPLE = Path(__file__).parents[2] / "examples/explore.ipynb"
OPENED = """
    import asyncio, threading
    from healthyroster_async import ProgressBar, SyncPool
    from healthyroster_async.emulator import Emulator, Fault
    slow = Fault(kind="stall", endpoint="data_source", times=1, after_bytes=0)
    emulator = Emulator(providers=3, rows=1200, faults=[slow])
    server = asyncio.new_event_loop()
    threading.Thread(target=server.run_forever, daemon=True).start()
    asyncio.run_coroutine_threadsafe(emulator.start(), server).result()
    pool = SyncPool(emulator.credentials, contract=emulator.contract())
    clinic = pool.session(1)
    sources = clinic.reporting.data_sources()
"""


@pytest.fixture(autouse=True)
def jupyter_may_block(nothing_blocks):
    """Let it: its clients run loops of their own, and nothing of ours is on them."""
    nothing_blocks.deactivate()
    yield
    nothing_blocks.activate()


class Kernel:
    """A kernel, asked as the page of a notebook asks it."""

    def __init__(self, client, manager):
        self.client = client
        self.manager = manager

    def run(self, code, interrupt_after=None):
        """Return what a cell printed or showed, and the name of its error."""
        asked = self.client.execute(textwrap.dedent(code))
        if interrupt_after is not None:
            time.sleep(interrupt_after)
            self.manager.interrupt_kernel()
        shown, error = "", None
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            content = message["content"]
            if message["parent_header"].get("msg_id") != asked:
                continue
            if message["msg_type"] == "stream":
                shown += content["text"]
            elif message["msg_type"] in {"execute_result", "display_data"}:
                shown += content["data"]["text/plain"]
            elif message["msg_type"] == "error":
                error = content["ename"]
            elif message["msg_type"] == "status" and (
                content["execution_state"] == "idle"
            ):
                return shown, error

    def completions(self, code):
        return self.client.complete(code, reply=True, timeout=30)["content"]["matches"]


@contextmanager
def started(stderr):
    manager = KernelManager(kernel_name="python3")
    # The kernel of this environment, whatever others are installed for the user.
    manager.kernel_spec.argv[0] = sys.executable
    with stderr.open("w") as file:
        manager.start_kernel(stderr=file)
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        yield Kernel(client, manager)
    finally:
        client.stop_channels()
        began = time.monotonic()
        manager.shutdown_kernel()
        assert time.monotonic() - began < 10


def run(notebook):
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def test_the_example_runs_and_shows_no_secret_and_no_row():
    """
    It is the first thing that somebody opens, and what it shows is saved with it.
    """
    notebook = nbformat.read(EXAMPLE, 4)
    outputs = run(notebook)
    pages = "".join(o.get("data", {}).get("text/html", "") for o in outputs)
    saved = json.dumps(outputs)
    (credentials,) = Emulator().credentials.values()

    assert "ConnectionPool, open" in pages
    assert "9 data sources" in pages
    assert "31 columns" in pages
    assert "11 succeeded, 1 denied, 0 failed, 0 skipped" in pages
    assert "Endpoints not authorized:</strong> get_encounters" in pages
    assert "What the pool did and does" in pages
    assert "2000" in saved
    assert "<script" not in saved
    assert credentials.application_secret.reveal() not in saved
    assert "@" not in saved  # every patient has an address
    assert not any(output.output_type in {"stream", "error"} for output in outputs)
    assert "12 of 12, 1 denied, in" in widgets(notebook)
    for cell in nbformat.read(EXAMPLE, 4).cells:
        assert not cell.get("outputs")  # in git there is none


def widgets(notebook):
    """Return the texts of widgets as the page would show them now."""
    state = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]
    values = [str(w["state"].get("value")) for w in state["state"].values()]
    return "\n".join(values).replace("\u2007", " ")


def test_a_bar_of_a_sync_pool_is_a_widget_of_its_cell():
    """
    Its callbacks come from another thread, which belongs to no cell.
    """
    work = """
        with ProgressBar("sources", pool) as bar:
            pool.fan_out(
                [1, 2, 3], lambda s: s.reporting.data_sources(), progress=bar
            )
    """
    cells = [textwrap.dedent(OPENED), textwrap.dedent(work)]
    notebook = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, cells)])
    outputs = run(notebook)

    assert "application/vnd.jupyter.widget-view+json" in outputs[-1]["data"]
    assert "3 of 3" in widgets(notebook)


def test_the_stop_button_cancels_a_call_and_the_kernel_goes_on(tmp_path):
    """
    A call that hangs must not cost the variables of a morning.
    """
    log = tmp_path / "stderr"
    with started(log) as kernel:
        assert kernel.run(OPENED) == ("", None)

        shown, error = kernel.run("clinic.reporting.data_source(1)", 1.0)
        assert error == "KeyboardInterrupt"
        shown, error = kernel.run("next(iter(pool.stats().values())).in_flight")
        assert (shown, error) == ("0", None)
        shown, error = kernel.run("clinic.reporting.data_source(1).name")
        assert (shown, error) == ("'Patients'", None)
        shown, error = kernel.run("len(await asyncio.to_thread(list, sources))")
        assert (shown, error) == ("9", None)
        # Left open, with rows under way, as people leave it.
        kernel.run("rows = clinic.reporting.rows(1).__enter__(); next(iter(rows))['x']")

    told = log.read_text()
    assert "Event loop" not in told
    assert "Traceback" not in told
    assert "never" not in told


def test_tab_completes_data_sources_columns_and_operations(tmp_path):
    """
    Nobody knows the names by heart.
    """
    with started(tmp_path / "stderr") as kernel:
        kernel.run(OPENED.replace("faults=[slow]", "faults=[]"))
        kernel.run("detail = clinic.reporting.data_source(sources['Patients'])")
        kernel.run("operations = clinic.operations")

        assert any("Problems" in m for m in kernel.completions('sources["'))
        assert any("email" in m for m in kernel.completions('detail["'))
        assert any("StartDate" in m for m in kernel.completions('detail["St'))
        assert any("get_patients" in m for m in kernel.completions("operations.get_p"))
        assert any("get_patients" in m for m in kernel.completions('operations["get'))
        assert any("with_options" in m for m in kernel.completions("clinic.wi"))


@pytest.mark.parametrize("missing", ["ipywidgets", "tqdm.notebook"])
def test_without_widgets_a_bar_is_lines_with_a_hint(tmp_path, missing):
    """
    A bar that is missing must not cost the work it should show.
    """
    with started(tmp_path / "stderr") as kernel:
        kernel.run(OPENED)
        kernel.run(f"import sys; sys.modules[{missing!r}] = None")
        shown, error = kernel.run(
            """
            with ProgressBar("sources", pool) as bar:
                found = pool.fan_out(
                    [1, 2, 3], lambda s: s.reporting.data_sources(), progress=bar
                )
            """
        )
        assert error is None
        assert "healthyroster-async[notebook]" in shown
        assert "sources: 3 of 3" in shown
