"""The page that shows the swagger document to a person; it loads nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from string import Template
from typing import Any

_PAGE = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>$title</title>
<style>
:root { --ink:#1c2733; --soft:#5b6b7b; --line:#dde4ea; --page:#f5f7f9; --card:#fff;
  --get:#2563a8; --get-bg:#eaf2fb; --post:#1d7f5a; --post-bg:#e8f6f0; --code:#f0f3f6;
  --need:#c2410c; --put:#9a6700; --put-bg:#fbf3e0; --delete:#b3261e;
  --delete-bg:#fbeceb; --bar:#173042; }
@media (prefers-color-scheme: dark) { :root { --ink:#e4ebf1; --soft:#9fb0bf;
  --line:#2c3a46; --page:#10171d; --card:#18222b; --get:#7db6f0; --get-bg:#172a3d;
  --post:#6fd3a8; --post-bg:#142e25; --code:#22303b; --need:#f59e5f;
  --put:#e3b341; --put-bg:#2e2612; --delete:#f28b82; --delete-bg:#331b1a;
  --bar:#0b1116; } }
* { box-sizing:border-box }
body { margin:0; background:var(--page); color:var(--ink);
  font:15px/1.5 system-ui,"Segoe UI",Roboto,"Helvetica Neue",sans-serif }
code, .path { font-family:ui-monospace,"Cascadia Code",Menlo,Consolas,monospace }
header { background:var(--bar); color:#fff }
header div, main { max-width:68rem; margin:auto; padding:0 1.5rem }
header div { display:flex; gap:.4rem .75rem; align-items:center; flex-wrap:wrap;
  padding-top:.8rem; padding-bottom:.8rem }
h1 { font-size:1.15rem; margin:0; letter-spacing:.01em }
header a { color:#b9d3e6; margin-left:auto; text-decoration:none }
header a:hover { text-decoration:underline }
.pill { border-radius:1rem; padding:.05rem .6rem; font-size:.78rem; font-weight:600;
  background:#2c4b61; color:#dcebf6;
  white-space:nowrap }
nav { display:flex; flex-wrap:wrap; gap:.4rem; margin:1.4rem 0 0 }
nav a { background:var(--card); border:1px solid var(--line); border-radius:1rem;
  padding:.1rem .7rem; color:var(--ink); text-decoration:none; font-size:.88rem }
nav a:hover { border-color:var(--soft) }
h2 { font-size:1.15rem; margin:2.2rem 0 .6rem }
p.lead { color:var(--soft); margin:1.5rem 0 }
.grid { display:grid; gap:1rem;
  grid-template-columns:repeat(auto-fit,minmax(18rem,1fr)) }
.card { background:var(--card); border:1px solid var(--line); border-radius:.6rem;
  padding:1rem 1.15rem }
.card h3 { margin:0 0 .5rem; font-size:.78rem; color:var(--soft); font-weight:600;
  text-transform:uppercase; letter-spacing:.06em }
.card p { margin:.35rem 0; display:flex; justify-content:space-between; gap:1rem;
  flex-wrap:wrap }
.card code { background:var(--code); border-radius:.3rem; padding:.05rem .4rem;
  font-size:.88em }
details { background:var(--card); border:1px solid var(--line); border-radius:.6rem;
  margin:.7rem 0; overflow:hidden }
details.get { border-left:4px solid var(--get) }
details.post { border-left:4px solid var(--post) }
details.put { border-left:4px solid var(--put) }
details.delete { border-left:4px solid var(--delete) }
summary { display:flex; gap:.9rem; align-items:center; padding:.65rem 1rem;
  cursor:pointer; list-style:none; flex-wrap:wrap }
summary::-webkit-details-marker { display:none }
.get > summary { background:var(--get-bg) }
.post > summary { background:var(--post-bg) }
.put > summary { background:var(--put-bg) }
.delete > summary { background:var(--delete-bg) }
.old .path { text-decoration:line-through }
.verb { font-weight:700; font-size:.78rem; color:#fff; border-radius:.35rem;
  min-width:4.2rem; text-align:center; padding:.25rem 0; background:#2563a8 }
.post .verb { background:#1d7f5a }
.put .verb { background:#8a5c00 }
.delete .verb { background:#b3261e }
.path { font-weight:600; overflow-wrap:anywhere }
.sum { color:var(--soft); flex:1; min-width:14rem; text-align:right; font-size:.9rem }
.body { padding:.4rem 1rem 1rem }
table { border-collapse:collapse; table-layout:fixed; width:100%; margin:.3rem 0 }
th { text-align:left; font-size:.78rem; color:var(--soft); font-weight:600 }
th, td { padding:.4rem .8rem .4rem 0; border-bottom:1px solid var(--line);
  vertical-align:top; overflow-wrap:anywhere }
tr:last-child td { border-bottom:0 }
th:first-child { width:28% }
th:nth-child(2) { width:36% }
h4 { margin:1rem 0 .2rem; font-size:.9rem }
small { color:var(--soft) }
.req { color:var(--need); white-space:nowrap; font-size:.78rem; font-weight:600 }
footer { color:var(--soft); font-size:.85rem; padding:2rem 0 3rem }
</style>
</head>
<body>
<header><div><h1>$title</h1><span class="pill">$version</span>
<span class="pill">OAS $openapi</span>
<a href="$document_url">swagger.json</a></div></header>
<main>
<p class="lead">$description</p>
<div class="grid">
<section class="card"><h3>Servers</h3>$servers</section>
<section class="card"><h3>Credentials, in every request</h3>$schemes</section>
</div>
<nav>$contents<a href="#Schemas">Schemas</a></nav>
$operations
<h2 id="Schemas">Schemas</h2>
$schemas
<footer>Everything here is synthetic. No real person, school or clinic.</footer>
</main>
</body>
</html>
""")


def render(document: Mapping[str, Any], document_url: str, version: str) -> str:
    """Return the page.

    Args:
        document: The swagger document, as OpenAPI 3.0.
        document_url: Where it is served, for a link.
        version: The version in which it is.
    """
    info, components = document["info"], document["components"]
    return _PAGE.substitute(
        title=escape(info["title"]),
        description=escape(info["description"]),
        version=escape(info["version"]),
        openapi=escape(version),
        document_url=escape(document_url),
        servers="".join(
            f"<p><span>{escape(server['description'])}</span>"
            f"<code>{escape(server['url'])}</code></p>"
            for server in document["servers"]
        ),
        schemes="".join(
            f"<p><span>{escape(scheme['description'])}</span>"
            f"<code>{escape(scheme['name'])}</code></p>"
            for scheme in components["securitySchemes"].values()
        ),
        contents="".join(_contents(document)),
        operations="".join(_operations(document)),
        schemas="".join(
            _schema(name, schema) for name, schema in components["schemas"].items()
        ),
    )


def _tagged(document: Mapping[str, Any], tag: str) -> list[tuple[str, str, Any]]:
    """Return path, method and operation of everything that has a tag."""
    return [
        (path, verb, operation)
        for path, item in document["paths"].items()
        for verb, operation in item.items()
        if tag in operation["tags"]
    ]


def _contents(document: Mapping[str, Any]) -> Iterator[str]:
    for tag in document["tags"]:
        name, count = escape(tag["name"]), len(_tagged(document, tag["name"]))
        yield f"<a href='#{name}'>{name} <small>{count}</small></a>"


def _operations(document: Mapping[str, Any]) -> Iterator[str]:
    for number, tag in enumerate(document["tags"]):
        name, text = escape(tag["name"]), escape(tag["description"])
        yield f"<h2 id='{name}'>{name} <small>{text}</small></h2>"
        for path, verb, operation in _tagged(document, tag["name"]):
            # The first group is what most people came for.
            yield _operation(path, verb, operation, opened=number == 0)


def _operation(
    path: str, verb: str, operation: Mapping[str, Any], *, opened: bool
) -> str:
    parameters = "".join(
        _row(
            _named(parameter["name"], parameter["in"], parameter.get("required")),
            _type(parameter["schema"]),
            escape(parameter.get("description", "")),
        )
        for parameter in operation["parameters"]
    )
    parameters += "".join(_body(operation.get("requestBody")))
    responses = "".join(
        _row(f"<code>{status}</code>", _content(answer), escape(answer["description"]))
        for status, answer in operation["responses"].items()
    )
    text = operation.get("description")
    more = f"<p>{escape(text)}</p>" if text else ""
    old = " old" if operation.get("deprecated") else ""
    name, summary = escape(operation["operationId"]), escape(operation["summary"])
    if old:
        summary += " <span class='req'>deprecated</span>"
    return (
        f"<details{' open' if opened else ''} class='{verb}{old}'><summary>"
        f"<span class='verb'>{verb.upper()}</span>"
        f"<span class='path'>{escape(path)}</span>"
        f"<span class='sum'>{summary}</span></summary>"
        f"<div class='body'><p><code>{name}</code></p>{more}"
        f"<h4>Parameters</h4><table><tr><th>Name</th><th>Type</th><th>Description</th>"
        f"</tr>{parameters}</table><h4>Responses</h4><table><tr><th>Status</th>"
        f"<th>Body</th><th>Description</th></tr>{responses}</table></div></details>"
    )


def _row(*cells: str) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _named(name: str, place: str, required: Any) -> str:
    need = " <span class='req'>required</span>" if required else ""
    return f"<code>{escape(name)}</code>{need}<br><small>{escape(place)}</small>"


def _body(body: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield the rows of a body; a form has one for each field."""
    if body is None:
        return
    kind, content = next(iter(body["content"].items()))
    schema = content["schema"]
    if "properties" not in schema:
        name = _named("body", kind, body.get("required"))
        yield _row(name, _type(schema), escape(body["description"]))
    for name, part in schema.get("properties", {}).items():
        needed = name in schema["required"]
        yield _row(_named(name, kind, needed), _type(part), escape(part["description"]))


def _content(answer: Mapping[str, Any]) -> str:
    for content in answer.get("content", {}).values():
        return _type(content["schema"])
    return ""


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(key)}</code></td><td>{_type(value)}</td></tr>"
        for key, value in schema.get("properties", {}).items()
    )
    if "enum" in schema:
        rows = f"<tr><td>{_type(schema)}</td></tr>"
    rows = rows or "<tr><td>Any members.</td></tr>"
    return (
        f"<details><summary><span class='path'>{escape(name)}</span></summary>"
        f"<div class='body'><table>{rows}</table></div></details>"
    )


def _type(schema: Mapping[str, Any]) -> str:
    """Return a schema in one line."""
    if "$ref" in schema:
        text = str(schema["$ref"]).rpartition("/")[2]
    elif schema.get("type") == "array":
        return f"{_type(schema['items'])}<small> []</small>"
    elif "properties" in schema:
        key, inner = next(iter(schema["properties"].items()))
        return f"<code>{escape(key)}</code><small>:</small> {_type(inner)}"
    elif "enum" in schema:
        values = (f"<code>{escape(value)}</code>" for value in schema["enum"])
        return " <small>or</small> ".join(values)
    elif "allOf" in schema:
        return _type(schema["allOf"][0])
    else:
        text = str(schema.get("format", schema.get("type", "any")))
    return f"<code>{escape(text)}</code>"
