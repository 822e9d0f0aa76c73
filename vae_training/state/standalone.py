"""The code of the autoencoder as one file, for folders that open without this package.

It is joined from the modules of `vae_training.model`: every definition that `Autoencoder` needs,
with its comments, module after module. So there is no second copy to keep in step.
"""

from __future__ import annotations

import ast
import inspect
import symtable
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module

_PACKAGE = "vae_training.model"
_CLASS = "Autoencoder"
FILE = "autoencoder_gsc.py"
# What config.json says to `diffusers.AutoModel`: the file, and the class in it.
AUTO_MAP = {"AutoModel": f"{FILE.removesuffix('.py')}.{_CLASS}"}
_HEADER = '''\
# SPDX-License-Identifier: Apache-2.0
"""The autoencoder whose weights lie beside this file; it needs torch and diffusers alone.

    from diffusers import AutoModel  # 0.36 or later
    vae = AutoModel.from_pretrained(FOLDER, trust_remote_code=True)

Joined from the modules of vae-corpus when the model was exported: change those, not this file.
"""

from __future__ import annotations
'''
_WIDE = 100


@dataclass(frozen=True, kw_only=True)
class _Statement:
    """A statement of a module's top level, with the comments above it in `text`."""

    names: frozenset[str]  # that it binds
    uses: frozenset[str]  # of the module, or of others
    text: str
    blank: int  # lines above it
    block: bool  # a function or a class


@dataclass(frozen=True, kw_only=True)
class _Module:
    """`within` are imported modules of ours; `imports` the origin of every other imported name.

    `types` are those among them that only annotations need, imported below TYPE_CHECKING.
    """

    name: str
    about: str
    within: tuple[str, ...]
    imports: dict[str, tuple[str, str]]  # name -> module, and name in it; "" for the module itself
    types: frozenset[str]
    statements: tuple[_Statement, ...]


def standalone() -> str:
    """The source of the file, the same bytes for the same code."""
    modules = list(_modules(f"{_PACKAGE}.autoencoder", set()))
    needed = _needed([s for module in modules for s in module.statements])
    imports = {name: origin for m in modules for name, origin in m.imports.items()}
    # What one module needs for its annotations alone, another one may use.
    types = needed & {name for m in modules for name in m.types}
    types -= {name for m in modules for name in m.imports.keys() - m.types}
    used = needed | ({"TYPE_CHECKING"} if types else set())
    parts = [_HEADER, _imports({imports[name] for name in used & imports.keys() - types})]
    if types:
        told = _imports({imports[name] for name in types}).strip("\n")
        parts.append("\nif TYPE_CHECKING:\n" + textwrap.indent(told, "    ") + "\n")
    bound: set[str] = set()
    for module in modules:
        kept = [s for s in module.statements if s.names & needed]
        for statement in kept:
            assert not bound & statement.names, f"bound twice: {bound & statement.names}"
            bound |= statement.names
        if kept:
            parts.append(
                "\n" * min(2, len(parts) - 1) + _comment(module, len(kept)) + _joined(kept)
            )
    return "".join(parts)


def _modules(name: str, seen: set[str]) -> Iterator[_Module]:
    """The module of this name, after all of ours that it imports."""
    seen.add(name)
    module = _read(name)
    for inner in module.within:
        if inner not in seen:
            yield from _modules(inner, seen)
    yield module


def _read(name: str) -> _Module:
    source = inspect.getsource(import_module(name))
    lines = source.splitlines()
    within, statements = [], []
    imports: dict[str, tuple[str, str]] = {}
    types: dict[str, tuple[str, str]] = {}
    tree = ast.parse(source)
    end = 0
    for node in tree.body:
        above, end = lines[end : node.end_lineno], node.end_lineno or 0
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(_PACKAGE):
            assert not any(a.asname for a in node.names), f"{name} renames what it imports"
            within.append(str(node.module))
        elif isinstance(node, ast.ImportFrom):
            imports |= {a.asname or a.name: (str(node.module), _as(a)) for a in node.names}
        elif isinstance(node, ast.Import):
            imports |= {a.name: (a.name, "") for a in node.names}
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            assert not node.orelse
            for line in node.body:
                assert isinstance(line, ast.ImportFrom), f"{name} does more than import types"
                types |= {a.asname or a.name: (str(line.module), _as(a)) for a in line.names}
        elif names := _bound(node):
            text = "\n".join(above).lstrip("\n")
            statements.append(
                _Statement(
                    names=frozenset(names),
                    uses=frozenset(_uses(text)),
                    text=text,
                    blank=len(above) - len(text.splitlines()),
                    block=isinstance(node, (ast.FunctionDef, ast.ClassDef)),
                )
            )
    return _Module(
        name=name,
        about=ast.get_docstring(tree) or "",
        within=tuple(within),
        imports=imports | types,
        types=frozenset(types),
        statements=tuple(statements),
    )


def _bound(node: ast.stmt) -> set[str]:
    """Names that a statement binds; none for a call, such as that which hides torchvision."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
    return set()


def _uses(text: str) -> set[str]:
    """Names that a statement looks up outside itself; a parameter of the same name is none."""
    used = set[str]()
    tables = [symtable.symtable(text, "statement", "exec")]
    while tables:
        table = tables.pop()
        outer = table.get_type() == "module"
        used |= {
            s.get_name()
            for s in table.get_symbols()
            if (s.is_referenced() if outer else s.is_global())
        }
        tables += table.get_children()
    return used


def _needed(statements: list[_Statement]) -> set[str]:
    """All names that the class uses, directly or by way of others, and itself."""
    needed, open_ = set[str](), {_CLASS}
    while open_:
        needed |= open_
        open_ = {n for s in statements if s.names & open_ for n in s.names | s.uses} - needed
    return needed


def _as(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name


def _imports(origins: set[tuple[str, str]]) -> str:
    """Import statements in the order of isort: of the standard library, then of others."""
    told = ""
    for standard in (True, False):
        chosen = [o for o in origins if (o[0].split(".")[0] in sys.stdlib_module_names) == standard]
        lines = sorted(f"import {module}" for module, name in chosen if not name)
        for module in sorted({module for module, name in chosen if name}):
            names = sorted((n for m, n in chosen if m == module and n), key=_isort_key)
            line = f"from {module} import {', '.join(names)}"
            if len(line) > _WIDE:
                line = f"from {module} import (\n" + "".join(f"    {n},\n" for n in names) + ")"
            lines.append(line)
        told += "\n" + "".join(f"{line}\n" for line in lines)
    return told


def _isort_key(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2), name


def _comment(module: _Module, kept: int) -> str:
    """The name of a module, and its docstring where all that it describes is there."""
    title = f"--- {module.name.rsplit('.', 1)[1]} "
    about = module.about.splitlines() if kept == len(module.statements) else []
    lines = [title + "-" * (_WIDE - 2 - len(title)), *about]
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def _joined(statements: list[_Statement]) -> str:
    """Two empty lines around functions and classes, as in the module elsewhere."""
    told, before = "", False
    for statement in statements:
        blank = 2 if statement.block or before else statement.blank if told else 1
        told += "\n" * blank + statement.text + "\n"
        before = statement.block
    return told
