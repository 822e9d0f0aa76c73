"""The settings that LibreOffice starts with: the same on every machine, trusting no document."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

_SECURITY = "Office.Common/Security/Scripting"
# (path below /org.openoffice, name, value)
_SETTINGS = (
    (_SECURITY, "DisableMacrosExecution", "true"),
    (_SECURITY, "MacroSecurityLevel", "3"),
    # Nothing is loaded that a document links to, unless its folder is trusted: none is.
    (_SECURITY, "BlockUntrustedRefererLinks", "true"),
    ("Office.Writer/Content/Update", "Link", "0"),
    ("Office.Calc/Content/Update", "Link", "1"),
    # A proxy set by hand, and none named.
    ("Inet/Settings", "ooInetProxyType", "2"),
    ("Setup/L10N", "ooLocale", "en-US"),
    ("Setup/L10N", "ooSetupSystemLocale", "en-US"),
    ("Office.Linguistic/General", "DefaultLocale", "en-US"),
    ("Office.Linguistic/General", "DefaultLocale_CJK", "zh-CN"),
)


def write_profile(folder: Path) -> None:
    """The folder that LibreOffice takes for the settings of a user."""
    items = "".join(
        f'<item oor:path="/org.openoffice.{path}"><prop oor:name="{name}" oor:op="fuse">'
        f"<value>{value}</value></prop></item>\n"
        for path, name, value in _SETTINGS
    )
    space = 'xmlns:oor="http://openoffice.org/2001/registry"'
    settings = folder / "user" / "registrymodifications.xcu"
    settings.parent.mkdir(parents=True)
    settings.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<oor:items {space}>\n{items}</oor:items>\n',
        encoding="utf-8",
    )


def write_fonts_conf(path: Path, folders: Sequence[Path], cache: Path) -> None:
    """A configuration of fontconfig with these folders alone; what it finds it notes in `cache`."""
    lines = [f"<dir>{escape(str(folder))}</dir>" for folder in folders]
    lines.append(f"<cachedir>{escape(str(cache))}</cachedir>")
    whole = "\n".join(["<fontconfig>", *lines, "</fontconfig>"])
    path.write_text(f'<?xml version="1.0"?>\n{whole}\n', encoding="utf-8")
