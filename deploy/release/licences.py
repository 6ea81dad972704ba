"""Writes `docs/licences.md`: what others wrote and we ship, and under which licence.

The packages are those that `uv.lock` names for the services and the command line, on any platform. Their
licences are what they say of themselves; one that is not installed here (for another platform or Python)
keeps what the page already says.
"""

# ruff: noqa: INP001 - a program of its own, in no package

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "licences.md"
HEAD: Final = """\
# Licences

What others wrote and the images contain, besides Python itself and the base image. This page is generated:
`make licences` writes it, `make check` tells when it is out of date. Versions and hashes are in `uv.lock`,
and in the SBOM that `make sbom` writes. Our own code: [LICENSE](../LICENSE).

| package | licence |
|---|---|
"""
TAIL: Final = """
`fastapi-swagger` carries the files of [Swagger UI](https://github.com/swagger-api/swagger-ui), which is under
Apache-2.0.
"""
# The wording of old metadata, in today's (SPDX).
SPDX: Final = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
# With these we may ship: none asks anything of our own code. The LGPL asks that its package can be
# replaced, which holds for a package of Python; the MPL that changes to its files are published.
ACCEPTED: Final = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "PSF-2.0"),
    *("Python-2.0", "Unlicense", "Zlib"),
    *("LGPL-3.0-only", "MPL-2.0"),
}


def shipped() -> list[str]:
    """The packages of all members, without the tools of development."""
    command = (
        *(ROOT / ".venv" / "bin" / "uv", "export", "--frozen", "--quiet", "--all-packages"),
        *("--no-dev", "--no-emit-workspace", "--no-hashes", "--no-annotate", "--no-header"),
    )
    lines = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.splitlines()  # noqa: S603 - our own words
    return sorted({re.split(r"[=\[ ;]", line, maxsplit=1)[0] for line in lines if line.strip()})


def licence_of(package: Distribution) -> str:
    """In SPDX's words where they are known, else in the package's own."""
    metadata = package.metadata
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    classifiers = [
        line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier") or () if "License :: " in line
    ]
    said = [each for each in classifiers if each != "OSI Approved"]
    if not said and "License" in metadata:
        said = [metadata["License"].partition("\n")[0]]
    return " AND ".join(sorted({SPDX.get(each, each) for each in said})) or "not stated"


def on_the_page(page: str) -> Mapping[str, str]:
    return dict(re.findall(r"^\| ([^ |]+) \| ([^|]+) \|$", page, flags=re.MULTILINE))


def rows(before: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in shipped():
        try:
            yield name, licence_of(distribution(name))
        except PackageNotFoundError:
            yield name, before.get(name, "not stated")


def unaccepted(licence: str) -> bool:
    """Whether an alternative that we may ship with is missing."""
    alternatives = [each.split(" AND ") for each in licence.replace("(", "").replace(")", "").split(" OR ")]
    return not any(set(each) <= ACCEPTED for each in alternatives)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the page is another")
    options = parser.parse_args()
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    found = list(rows(on_the_page(before)))
    bad = [f"{name}: {licence}" for name, licence in found if unaccepted(licence)]
    if bad:
        sys.stderr.write(
            f"licences that nobody has accepted (deploy/release/licences.py): {'; '.join(bad)}\n"
        )
        return 1
    page = HEAD + "".join(f"| {name} | {licence} |\n" for name, licence in found) + TAIL
    if page == before:
        return 0
    if options.check:
        sys.stderr.write("docs/licences.md is out of date: make licences\n")
        return 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
