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


# What may stand in a log line: nothing here ever holds an id, a path, a body or the
# text of somebody else's error.
LOGGED = {
    "attempt", "delay", "environment", "extra", "fields", "kind", "label", "pause_s",
    "rate", "request_id", "source", "status", "what", "why",
    "done", "total", "rows",  # how many of them
    "idle",  # seconds
}  # fmt: skip
_LEVELS = {"debug", "info", "warning", "error", "critical", "log", "exception"}


def log_calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            logger = ast.unparse(node.func.value).rpartition(".")[2]
            if node.func.attr in _LEVELS and logger in {"_logger", "logger", "logging"}:
                yield node


def told(node):
    """Yield the names whose values a log call tells; of an error only its class."""
    if ast.unparse(node).startswith("type(") and ast.unparse(node).endswith("__name__"):
        return
    if isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Name):
        yield node.id
    else:
        for child in ast.iter_child_nodes(node):
            yield from told(child)


def wrong_logs(tree):
    for call in log_calls(tree):
        # A level that is told stands before the sentence, and is no value.
        sentence, *values = call.args[1 if call.func.attr == "log" else 0 :]
        values += [keyword.value for keyword in call.keywords]
        if not (isinstance(sentence, ast.Constant) and isinstance(sentence.value, str)):
            yield f"line {call.lineno}: no constant sentence"
        for value in values:
            strange = set(told(value)) - LOGGED
            if strange:
                yield f"line {call.lineno}: {sorted(strange)}"
        if {keyword.arg for keyword in call.keywords} - {"extra"}:
            yield f"line {call.lineno}: a traceback shows values"


def test_every_log_line_is_a_constant_sentence_and_tells_only_what_is_harmless():
    """
    Logs are read by people who must not see patients, and kept for years.
    """
    trees = {path.name: ast.parse(path.read_text("utf-8")) for path in SOURCES}
    found = {name: list(wrong_logs(tree)) for name, tree in trees.items()}

    assert sum(len(list(log_calls(tree))) for tree in trees.values()) >= 6
    assert not {name: lines for name, lines in found.items() if lines}


def test_a_log_line_that_tells_too_much_is_found():
    """
    A search that finds nothing must be able to.
    """
    for code in (
        "_logger.info('sent %s', request.url)",
        "_logger.info(f'sent {label}')",
        "_logger.info('sent', extra={'body': response.body})",
        "_logger.info('failed (%s)', error)",
        "_logger.warning('failed', exc_info=True)",
        "_logger.log(20, f'sent {label}')",
        "_logger.log(level, 'sent %s', url)",
        "self._logger.debug('of %s', provider_id)",
    ):
        assert list(wrong_logs(ast.parse(code))), code
    harmless = "_logger.info('%s failed (%s)', label, type(error).__name__)"
    assert not list(wrong_logs(ast.parse(harmless)))
