"""The reference of the Python client, made of its docstrings and signatures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import griffe

from tests.docs.markdown import code
from tests.support.processes import ROOT

_GROUPS: Final = {
    "The client": ("TaskbeamClient", "Backoff", "Statistics"),
    "What happens": ("ChangeStream", "Event", "Snapshot", "Change", "Task"),
    "Tokens": ("Session", "TokenProvider"),
}
_ERRORS: Final = "Errors"
_WIDTH: Final = 88
_CALLED: Final = {"TaskbeamClient": "client", "Session": "session"}
"""Classes whose methods an application calls, and what their objects are called. Of the others it reads what they have."""


def lines() -> list[str]:
    """All that ``import taskbeam_client`` offers, in the order of use.

    Raises:
        ValueError: a public name is in no group.
    """
    package = griffe.load(
        "taskbeam_client", search_paths=[ROOT / "clients/python"], docstring_parser="google"
    )
    assert isinstance(package, griffe.Module)
    assert package.exports is not None
    public = {str(name): _target(package[str(name)]) for name in package.exports}
    errors = {name: found for name, found in public.items() if _is_error(found)}
    grouped = {name for names in _GROUPS.values() for name in names}
    if grouped != public.keys() - errors.keys():
        raise ValueError(f"in no group, or gone: {grouped ^ (public.keys() - errors.keys())}")
    page: list[str] = []
    for group, names in _GROUPS.items():
        page += [f"## {group}", ""]
        for name in names:
            found = public[name]
            page += list(_class(found) if isinstance(found, griffe.Class) else _value(found))
    page += [f"## {_ERRORS}", "", *_error_table(errors)]
    return page


def _target(found: griffe.Object | griffe.Alias) -> griffe.Object:
    target = found.final_target if isinstance(found, griffe.Alias) else found
    assert isinstance(target, griffe.Object)
    return target


def _is_error(found: griffe.Object) -> bool:
    return found.filepath.name == "errors.py" if not isinstance(found.filepath, list) else False


def _class(found: griffe.Class | griffe.Object) -> Iterator[str]:
    assert isinstance(found, griffe.Class)
    sections = _sections(found)
    attributes = {item.name: item for item in _items(sections, griffe.DocstringSectionKind.attributes)}
    yield from (f"### `{found.name}`", "")
    if "__init__" in found.members and (
        found.name in _CALLED or _items(sections, griffe.DocstringSectionKind.parameters)
    ):
        yield from _signature(found.name, found["__init__"])
    yield from _prose(sections)
    fields = {
        name: member
        for name, member in found.members.items()
        if isinstance(member, griffe.Attribute)
        and not name.startswith("_")
        and (found.name in _CALLED or "property" not in member.labels)
    }
    if fields:
        yield from ("| attribute | type | meaning |", "|---|---|---|")
        for name, field in fields.items():
            meaning = attributes[name].description if name in attributes else _text(field)
            yield f"| `{name}` | {code(str(field.annotation))} | {_in_a_cell(meaning)} |"
        yield ""
    if found.name in _CALLED:
        for name, member in found.members.items():
            if isinstance(member, griffe.Function) and (name == "__call__" or not name.startswith("_")):
                yield from _method(found, name, member)


def _method(owner: griffe.Class, name: str, method: griffe.Function) -> Iterator[str]:
    called = "" if name == "__call__" else f".{name}"
    instance = owner.name if "classmethod" in method.labels else _CALLED[owner.name]
    yield from (f"#### `{instance}{called}()`", "")
    wait = "await " if "async" in method.labels else ""
    yield from _signature(f"{wait}{instance}{called}", method)
    yield from _prose(_sections(method))


def _value(found: griffe.Object) -> Iterator[str]:
    assert isinstance(found, griffe.Attribute)
    yield from (f"### `{found.name}`", "", "```python", f"{found.name} = {found.value}", "```", "")
    yield from _prose(_sections(found))


def _signature(name: str, function: griffe.Object | griffe.Alias) -> Iterator[str]:
    """On one line, or a parameter a line where that is too long."""
    assert isinstance(function, griffe.Function)
    parameters, keyword_only = [], False
    for parameter in function.parameters:
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is griffe.ParameterKind.keyword_only and not keyword_only:
            keyword_only = True
            parameters.append("*")
        default = "" if parameter.default is None else f" = {parameter.default}"
        parameters.append(f"{parameter.name}: {parameter.annotation}{default}".replace("tls.", "ssl."))
    returned = str(function.returns)
    result = "" if returned == "None" else f" -> {returned}"
    line = f"{name}({', '.join(parameters)}){result}"
    one_each = [f"{name}(", *(f"    {parameter}," for parameter in parameters), f"){result}"]
    yield from ("```python", *([line] if len(line) <= _WIDTH else one_each), "```", "")


def _sections(found: griffe.Object) -> list[griffe.DocstringSection]:
    return [] if found.docstring is None else found.docstring.parsed


def _items(
    sections: list[griffe.DocstringSection], kind: griffe.DocstringSectionKind
) -> list[griffe.DocstringNamedElement]:
    return [item for section in sections if section.kind is kind for item in section.value]


def _prose(sections: list[griffe.DocstringSection]) -> Iterator[str]:
    for section in sections:
        match section.kind:
            case griffe.DocstringSectionKind.text:
                yield from (_markdown(section.value), "")
            case griffe.DocstringSectionKind.parameters:
                yield from ("| argument | |", "|---|---|")
                yield from (f"| `{item.name}` | {_in_a_cell(item.description)} |" for item in section.value)
                yield ""
            case griffe.DocstringSectionKind.returns:
                yield from (f"Returns {_lower(_markdown(item.description))}" for item in section.value)
                yield ""
            case griffe.DocstringSectionKind.raises:
                yield from ("| raises | |", "|---|---|")
                yield from (
                    f"| `{item.annotation}` | {_in_a_cell(item.description)} |" for item in section.value
                )
                yield ""


def _error_table(errors: dict[str, griffe.Object]) -> Iterator[str]:
    """In the order of the module, which is that of the hierarchy."""
    yield from ("| error | is a | means | has |", "|---|---|---|---|")
    for name, found in sorted(errors.items(), key=lambda item: item[1].lineno or 0):
        assert isinstance(found, griffe.Class)
        sections = _sections(found)
        means = " ".join(
            section.value for section in sections if section.kind is griffe.DocstringSectionKind.text
        )
        has = "; ".join(
            f"`{item.name}`: {_in_a_cell(item.description)}"
            for item in _items(sections, griffe.DocstringSectionKind.attributes)
        )
        bases = ", ".join(f"`{base}`" for base in found.bases)
        yield f"| `{name}` | {bases} | {_in_a_cell(means)} | {has} |"


def _text(found: griffe.Object) -> str:
    return " ".join(
        section.value for section in _sections(found) if section.kind is griffe.DocstringSectionKind.text
    )


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _markdown(text: str) -> str:
    return re.sub(r"``([^`]+)``", r"`\1`", text)


def _in_a_cell(text: str) -> str:
    return " ".join(_markdown(text).split()).removesuffix(".")
