"""What pip-audit found: vulnerable packages, and those that it could not look up.

pip-audit ends with 0 when the index answered nothing at all; here that is an error.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(report: Path) -> int:
    """Tell the report. 0: all is well, 1: vulnerable packages, 2: nothing could be looked up."""
    if not report.exists():
        print("could not look up: pip-audit wrote no report, its message is above", file=sys.stderr)
        return 2
    packages = json.loads(report.read_text(encoding="utf-8"))["dependencies"]
    looked_up = [package for package in packages if "skip_reason" not in package]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if not looked_up:
        print(
            f"could not look up any of the {len(packages)} packages: is the package index a mirror"
            " without vulnerability data, or the network away? Nothing is known about them.",
            file=sys.stderr,
        )
        return 2
    vulnerable = [package for package in looked_up if package["vulns"]]
    for package in vulnerable:
        for found in package["vulns"]:
            mended = ", ".join(found["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {found['id']}, mended in {mended}")
    print(f"{len(looked_up)} packages looked up, {len(vulnerable)} with known vulnerabilities")
    if unknown:
        print(f"could not look up {len(unknown)}: {', '.join(unknown)}")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
