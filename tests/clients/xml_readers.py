"""XML as ordinary libraries write and read it: ElementTree's prefixes, lxml's reading of line breaks."""
import os
import urllib.request
import xml.etree.ElementTree as tree

from lxml import etree

FHIR = "http://hl7.org/fhir"
system, value = os.environ["INS"].split("%7C")
TEXT = "first\nsecond\r\nthird\tfourth"


def ask(method, path, body=None):
    headers = {"Accept": "application/fhir+xml", "Content-Type": "application/fhir+xml"}
    headers["Authorization"] = "Bearer " + os.environ["HOSPITAL"]
    request = urllib.request.Request(os.environ["BASE"] + "/" + path, data=body, headers=headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return answer.read()


def element(parent, name, **attributes):
    return tree.SubElement(parent, "{%s}%s" % (FHIR, name), attributes)


root = tree.Element("{%s}Observation" % FHIR)
element(root, "status", value="final")
element(element(root, "code"), "text", value=TEXT)
identifier = element(element(root, "subject"), "identifier")
element(identifier, "system", value=system)
element(identifier, "value", value=value)
sent = tree.tostring(root, encoding="utf-8", xml_declaration=True)
assert b"ns0:" in sent and b"encoding='utf-8'" in sent, sent
# ElementTree writes a carriage return raw, which every reader takes for a line feed: written as a reference, it stays.
sent = sent.replace(b"\r", b"&#13;")
created = ask("POST", "Observation", sent)
print("ok ElementTree: XML with prefixes and a declaration in lower case is accepted", flush=True)
read = etree.fromstring(created)
names = {"f": FHIR}
assert read.xpath("string(/f:Observation/f:code/f:text/@value)", namespaces=names) == TEXT, created
print("ok lxml: line breaks of a string are read as they were sent", flush=True)
identity = read.xpath("string(/f:Observation/f:id/@value)", namespaces=names)
again = etree.fromstring(ask("GET", "Observation/" + identity))
assert again.xpath("string(/f:Observation/f:code/f:text/@value)", namespaces=names) == TEXT
print("ok lxml: and so when read again", flush=True)
