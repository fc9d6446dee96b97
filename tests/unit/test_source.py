"""What the source must not hold, because no behaviour shows it in time."""

import ast
from pathlib import Path

import healthyroster_async

SOURCES = sorted(Path(healthyroster_async.__file__).parent.rglob("*.py"))
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def yields_inside(node):
    """Yield the lines of a block in which a generator gives way; not of functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _SCOPES):
            continue
        if isinstance(child, ast.Yield):
            yield child.lineno
        yield from yields_inside(child)


def wrong_yields(tree):
    for function in ast.walk(tree):
        if not isinstance(function, ast.AsyncFunctionDef):
            continue
        decorators = {
            ast.unparse(d).rpartition(".")[2] for d in function.decorator_list
        }
        if "asynccontextmanager" in decorators:
            continue
        for block in ast.walk(function):
            if isinstance(block, ast.AsyncWith):
                yield from (f"line {line}" for line in yields_inside(block))


def test_no_async_generator_yields_inside_a_scope_of_tasks_or_time():
    """
    The consumer would be cancelled in its place (PEP 789), and only now and then.
    """
    found = {path.name: list(wrong_yields(ast.parse(path.read_text("utf-8"))))
             for path in SOURCES}  # fmt: skip

    assert len(found) > 40
    assert not {name: lines for name, lines in found.items() if lines}


def test_what_is_looked_for_is_found():
    """
    A search that finds nothing must be able to.
    """
    code = "async def f():\n async with TaskGroup():\n  for x in y:\n   yield x"

    assert list(wrong_yields(ast.parse(code))) == ["line 4"]
