#!/usr/bin/env python3
"""Writes elements.tsv and bindings.tsv from the R4 definitions (npm package hl7.fhir.r4.examples 4.0.1, CC0).

    npm pack hl7.fhir.r4.examples@4.0.1 && tar xzf hl7.fhir.r4.examples-4.0.1.tgz
    schema/generate.py package schema
"""
import json
import pathlib
import sys

FHIR = "http://hl7.org/fhir/"
# ISO 4217, which R4 binds without listing it.
CURRENCIES = """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD
HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD
MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD
SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED
VES VND VUV WST XAF XAG XAU XBA XBB XBC XBD XCD XDR XOF XPD XPF XPT XSU XTS XUA XXX YER ZAR ZMW ZWL"""
MAX_VALUE_SET = FHIR + "StructureDefinition/elementdefinition-maxValueSet"


def load(folder, kind):
    return [json.loads(f.read_text("utf-8")) for f in sorted(folder.glob(kind + "-*.json"))]


def tail(url):
    return url.split("|")[0].rsplit("/", 1)[-1]


class Codes:
    """Expands value sets as far as this package defines their code systems."""

    def __init__(self, folder):
        self.value_sets = {v["url"]: v for v in load(folder, "ValueSet") if "url" in v}
        self.systems = {}
        for system in load(folder, "CodeSystem"):
            if system.get("content") in ("complete", "fragment") and system.get("concept"):
                self.systems[system["url"]] = system

    def concepts(self, system, inside=None):
        """(code, chain of ancestors) of every concept, abstract ones included: R4 marks groups that resources use."""
        parents = {}

        def walk(concepts, chain):
            for concept in concepts:
                above = {p.get("valueCode") for p in concept.get("property", []) if p["code"] == "subsumedBy"}
                parents.setdefault(concept["code"], set()).update(above | set(chain[-1:]))
                walk(concept.get("concept", []), chain + [concept["code"]])

        walk(self.systems[system]["concept"], [])
        if inside is None:
            return set(parents)
        found, before = {inside}, 0
        while len(found) != before:
            before = len(found)
            found |= {code for code, above in parents.items() if above & found}
        return found & set(parents)

    def include(self, part):
        codes = None
        if "concept" in part:
            codes = {(part["system"], c["code"]) for c in part["concept"]}
        elif "system" in part:
            if part["system"] not in self.systems:
                return None
            found = self.concepts(part["system"])
            for rule in part.get("filter", []):
                if rule["property"] != "concept" or rule["op"] not in ("is-a", "descendent-of"):
                    return None
                found &= self.concepts(part["system"], rule["value"])
                if rule["op"] == "descendent-of":
                    found -= {rule["value"]}
            codes = {(part["system"], code) for code in found}
        for url in part.get("valueSet", []):
            other = self.expand(url)
            if other is None:
                return None
            codes = other if codes is None else codes & other
        return codes

    def expand(self, url):
        """Set of (system, code), or None where the set is not finite or not defined here."""
        value_set = self.value_sets.get(url.split("|")[0])
        if value_set is None:
            return None
        out = set()
        for part in value_set.get("compose", {}).get("include", []):
            codes = self.include(part)
            if codes is None:
                return None
            out |= codes
        for part in value_set.get("compose", {}).get("exclude", []):
            out -= self.include(part) or set()
        return out or None


def type_cell(path, element):
    if "contentReference" in element:
        return element["contentReference"]
    cells = []
    for kind in element.get("type", []):
        code = kind["code"]
        if code == "http://hl7.org/fhirpath/System.String":
            code = {"Resource.id": "id", "Extension.url": "uri"}.get(path, "string")
        if code in ("Reference", "canonical") and kind.get("targetProfile"):
            targets = [tail(t) for t in kind["targetProfile"]]
            if code == "Reference" and targets != ["Resource"]:
                code += "(" + ",".join(targets) + ")"
        if code == "Quantity" and kind.get("profile") == [FHIR + "StructureDefinition/SimpleQuantity"]:
            code += "(SimpleQuantity)"
        cells.append(code)
    return "|".join(cells)


def binding_of(element):
    binding = element.get("binding", {})
    if binding.get("strength") == "required":
        return binding.get("valueSet")
    for extension in binding.get("extension", []):
        if extension["url"] == MAX_VALUE_SET:
            return extension.get("valueCanonical") or extension.get("valueUri")
    return None


def main():
    package, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    codes = Codes(package)
    bound, rows = {}, []
    for definition in load(package, "StructureDefinition"):
        if definition["kind"] == "logical" or definition.get("derivation") == "constraint":
            continue
        if definition["type"] in ("MetadataResource",):
            continue
        base = tail(definition.get("baseDefinition", "-"))
        kind = "primitive" if definition["kind"] == "primitive-type" else "resource" if definition["kind"] == "resource" else "datatype"
        if definition.get("abstract"):
            kind = "abstract"
        rows.append((definition["type"], base, "-", "-", kind, "-"))
        if kind == "primitive":
            continue
        for element in definition["differential"]["element"]:
            path = element["path"]
            if "." not in path:
                continue
            cell, binding = type_cell(path, element), binding_of(element)
            name = "-"
            if binding:
                name = tail(binding)
                if bound.setdefault(name, binding) != binding and bound[name].split("|")[0] != binding.split("|")[0]:
                    raise SystemExit(f"two value sets end in {name}")
            flags = ("s" if element.get("isSummary") else "") + ("m" if element.get("isModifier") else "")
            rows.append((path, cell, str(element["min"]), element["max"], name, flags or "-"))
    finite = {name: codes.expand(url) for name, url in bound.items()}
    finite["currencies"] = {("urn:iso:std:iso:4217", code) for code in CURRENCIES.split()}
    with (out / "elements.tsv").open("w") as file:
        file.write("# Elements of R4 (4.0.1), written by generate.py. A row without cardinality starts a type: its base and kind.\n")
        file.write("# binding: value set that the codes must come from (required, or the outer bound of a weaker one).\n")
        file.write("# flags: s = part of the summary, m = changes the meaning of what holds it.\n")
        file.write("path\ttypes\tmin\tmax\tbinding\tflags\n")
        file.writelines("\t".join(row) + "\n" for row in rows)
    with (out / "bindings.tsv").open("w") as file:
        file.write("# Codes of the value sets that elements.tsv names, as far as R4 (4.0.1) lists them; written by generate.py.\n")
        file.write("value_set\tsystem\tcodes\n")
        for name in sorted(finite):
            if finite[name] is None:
                print("not finite:", name, bound[name], file=sys.stderr)
                continue
            for system in sorted({s for s, _ in finite[name]}):
                listed = " ".join(sorted(c.replace(" ", "%20") for s, c in finite[name] if s == system))
                file.write(f"{name}\t{system}\t{listed}\n")


main()
