"""Look into a built wheel: what must be in it, and what must not."""

import sys
import zipfile
from email import message_from_bytes

wheel = zipfile.ZipFile(sys.argv[1])
names = wheel.namelist()
(metadata_name,) = (n for n in names if n.endswith(".dist-info/METADATA"))
metadata = message_from_bytes(wheel.read(metadata_name))
core = sorted(
    requirement.partition(">")[0]
    for requirement in metadata.get_all("Requires-Dist", [])
    if "extra ==" not in requirement and "python_version" not in requirement
)

assert core == ["aiohttp", "attrs", "backoff", "cattrs", "orjson"], core
assert metadata["License-Expression"] == "Apache-2.0"
assert "healthyroster_async/py.typed" in names
tops = {n.partition("/")[0] for n in names if ".dist-info/" not in n}
assert tops == {
    "healthyroster_async",
    "_healthyroster_command.py",
    "_healthyroster_pytest.py",
}, tops
assert any(n.endswith("licenses/LICENSE") for n in names)
assert not [n for n in names if n.startswith(("tests", "benchmarks"))]
sys.stdout.write(f"{len(names)} files in {wheel.filename}, core: {', '.join(core)}\n")
