"""A state store that lives as long as its process."""

from collections.abc import Mapping


class MemoryStore:
    """Implements `StateStore` for rehearsals; the documents are there for a next engine."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}

    async def load(self) -> dict[str, bytes]:
        return dict(self.documents)

    async def write(self, documents: Mapping[str, bytes | None]) -> None:
        for key, value in documents.items():
            if value is None:
                self.documents.pop(key, None)
            else:
                self.documents[key] = value

    async def close(self) -> None:
        """Nothing is open."""
