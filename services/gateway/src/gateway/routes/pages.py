"""The page that shows the API and lets a person try it. All that it loads comes from here."""

from importlib.metadata import version
from importlib.resources import files

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse

router = APIRouter(include_in_schema=False)

SWAGGER_UI = files("fastapi_swagger").joinpath("resources")
VERSION = version("fastapi-swagger")
FOR_EVER = {"Cache-Control": "max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
"""Each version has addresses of its own."""
SCRIPT, STYLE, ICON = "swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"
ONLY_OURS = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Content-Security-Policy. The page starts its script, and Swagger UI styles its elements, inline."""


@router.get("/docs")
async def show_docs() -> HTMLResponse:
    page = get_swagger_ui_html(
        # Relative, so that they hold behind a proxy that ends TLS.
        openapi_url="openapi.json",
        swagger_js_url=f"docs/{SCRIPT}?v={VERSION}",
        swagger_css_url=f"docs/{STYLE}?v={VERSION}",
        swagger_favicon_url=f"docs/{ICON}?v={VERSION}",
        title="The gateway's API",
        swagger_ui_parameters={"tryItOutEnabled": True, "displayRequestDuration": True},
    )
    page.headers["Content-Security-Policy"] = ONLY_OURS
    page.headers["X-Content-Type-Options"] = "nosniff"
    return page


def _serve(name: str) -> None:
    async def show_asset() -> FileResponse:
        return FileResponse(str(SWAGGER_UI / name), headers=FOR_EVER)

    router.add_api_route(f"/docs/{name}", show_asset)


for asset in (SCRIPT, STYLE, ICON):
    _serve(asset)
