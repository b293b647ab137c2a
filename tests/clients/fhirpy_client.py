"""fhirpy: https://github.com/beda-software/fhir-py"""
import os

from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome, ResourceNotFound

system, value = os.environ["INS"].split("%7C")
client = SyncFHIRClient(os.environ["BASE"], authorization="Bearer " + os.environ["HOSPITAL"])


def check(name):
    print("ok fhirpy:", name, flush=True)


observation = client.resource(
    "Observation",
    status="final",
    code={"text": "fhirpy"},
    subject={"identifier": {"system": system, "value": value}},
    effectiveDateTime="2026-04-01",
    valueString="x",
)
observation.save()
assert observation.id
check("create")
read = client.reference("Observation", observation.id).to_resource()
assert read["code"]["text"] == "fhirpy", read
check("read")
patient = read["subject"]["reference"].split("/")[-1]
found = [each.id for each in client.resources("Observation").search(patient=patient).limit(1)]
assert observation.id in found, found
check("search with paging")
observation["status"] = "amended"
observation.save()
assert client.reference("Observation", observation.id).to_resource()["status"] == "amended"
check("update")
observation.delete()
try:
    client.reference("Observation", observation.id).to_resource()
except (ResourceNotFound, OperationOutcome):
    check("delete")
else:
    raise AssertionError("the deleted resource is still read")
