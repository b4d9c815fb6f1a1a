"""Refresh the pages' vendored files from the published npm packages, byte for byte.

Run `python tools/vendor_web.py` after changing a version below; it needs npm. The lock that it
writes holds the integrity that npm states for each package and the sha256 of each file.
"""

import base64
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

STATIC = Path(__file__).parent.parent / "src" / "hil" / "web" / "static"
VENDOR = STATIC / "vendor"
LOCK = STATIC / "vendor.lock.json"


@dataclass(frozen=True, slots=True)
class Package:
    """One npm package, and which of its files go where below its folder."""

    name: str
    version: str
    licence: str
    files: dict[str, str]

    @property
    def folder(self) -> str:
        """The folder's name: the package's without its scope sign, and the version."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}"


PACKAGES = (
    Package(
        "preact",
        "11.2.0",
        "MIT",
        {"dist/preact.mjs": "preact.mjs", "hooks/dist/hooks.mjs": "hooks.mjs"},
    ),
    Package("@preact/signals", "2.11.4", "MIT", {"dist/signals.mjs": "signals.mjs"}),
    Package("@preact/signals-core", "1.14.5", "MIT", {"dist/signals-core.mjs": "signals-core.mjs"}),
    Package(
        "htm",
        "3.1.1",
        "Apache-2.0",
        {"dist/htm.mjs": "htm.mjs", "preact/index.mjs": "preact/index.mjs"},
    ),
    Package(
        "uplot",
        "1.6.32",
        "MIT",
        {"dist/uPlot.esm.js": "uPlot.esm.js", "dist/uPlot.min.css": "uPlot.min.css"},
    ),
    Package(
        "@fontsource-variable/dm-sans",
        "5.3.0",
        "OFL-1.1",
        {"files/dm-sans-latin-wght-normal.woff2": "dm-sans-latin-wght-normal.woff2"},
    ),
    Package(
        "@fontsource/dm-mono",
        "5.3.0",
        "OFL-1.1",
        {
            f"files/dm-mono-latin-{weight}-normal.woff2": f"dm-mono-latin-{weight}-normal.woff2"
            for weight in (400, 500)
        },
    ),
)


def main() -> int:
    """Replace the vendored files and their lock."""
    shutil.rmtree(VENDOR, ignore_errors=True)
    entries = [_fetch(package) for package in PACKAGES]
    LOCK.write_text(json.dumps({"packages": entries}, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {sum(len(entry['files']) for entry in entries)} files and {LOCK.name}")
    return 0


def _fetch(package: Package) -> dict[str, dict[str, str]]:
    tarball, integrity = _pack(package)
    folder = VENDOR / package.folder
    hashes: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(tarball), mode="r:gz") as archive:
        for source, target in {**package.files, "LICENSE": "LICENSE"}.items():
            member = archive.extractfile(f"package/{source}")
            assert member is not None, f"{package.name} has no file {source}"
            body = member.read()
            path = folder / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
            hashes[f"{package.folder}/{target}"] = hashlib.sha256(body).hexdigest()
    return {
        "package": {
            "name": package.name,
            "version": package.version,
            "licence": package.licence,
            "integrity": integrity,
        },
        "files": hashes,
    }


def _pack(package: Package) -> tuple[bytes, str]:
    """The package's tarball and the integrity that it was checked against."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--json", f"{package.name}@{package.version}"]
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        facts = json.loads(done.stdout)
        entry = facts[0] if isinstance(facts, list) else next(iter(facts.values()))
        tarball = next(Path(folder).glob("*.tgz")).read_bytes()
    digest = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    assert digest == entry["integrity"], f"{package.name} is not what npm says it is"
    return tarball, digest


if __name__ == "__main__":
    sys.exit(main())
