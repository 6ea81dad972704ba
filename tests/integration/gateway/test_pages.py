"""The page of the API, for whoever looks at it in a browser."""

import re
from urllib.parse import urljoin

from integration.gateway.house import House

NOBODY = {"Authorization": ""}


async def test_the_docs_load_all_that_they_need_from_us_and_need_no_key(house: House) -> None:
    page = await house.client.get("/docs", headers=NOBODY)

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].split("; ") == [
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    needed = re.findall(r"""(?:src|href)=["']([^"']+)|url: '([^']+)'""", page.text)
    assert len(needed) == 4
    for name in map("".join, needed):
        assert "://" not in name
        part = await house.client.get(urljoin("/docs", name), headers=NOBODY)
        assert part.status_code == 200, name
        assert len(part.content) > 500, name


async def test_no_other_file_is_given_away(house: House) -> None:
    for name in ("__init__.py", "..%2Fmain.py", "swagger-ui.js"):
        answer = await house.client.get(f"/docs/{name}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
