"""Keys that are known without asking anyone."""

from shared.service.keys import Principal


class FakeAuthenticator:
    """A key is made of the scopes that it grants: `events:read,admin:write`."""

    async def principal(self, key: str) -> Principal | None:
        return None if key == "unknown" else Principal("test", frozenset(key.split(",")))
