"""The code in documents, and how it is run: with top-level await, as in a notebook."""

import ast
import asyncio
import inspect
import re
from pathlib import Path

import orjson


def blocks(document, language="python"):
    """Return the code blocks of a document, in its order."""
    text = Path(document).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


async def write_document(emulator):
    """Write the swagger document where the code looks for it."""
    document = orjson.dumps(emulator.swagger())
    await asyncio.to_thread(Path("swagger.json").write_bytes, document)


async def run(code, names, credentials=None):
    """Run a block; only the credentials are filled in.

    What does not await may start a loop of its own, so it runs in a thread.
    """
    if credentials is not None:
        secret = credentials.application_secret.reveal()
        code = code.replace('"app-id"', repr(credentials.application_id))
        code = code.replace('"app-secret"', repr(secret))
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    compiled = compile(code, "<document>", "exec", flags)
    if compiled.co_flags & inspect.CO_COROUTINE:
        await eval(compiled, names)
    else:
        await asyncio.to_thread(exec, compiled, names)
