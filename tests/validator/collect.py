"""Prints what a patient's token may read, one resource a line and byte for byte: what tests/validator/run judges.

Uses the standard library only. Follows the pages of a search of each type that the CapabilityStatement lists (the searchset
is judged with its entries), then reads each Binary that an attachment names, as FHIR.
"""
import argparse
import json
import sys
import urllib.error
import urllib.request


def get(url, token):
    headers = {"Accept": "application/fhir+json"}
    if token:
        headers["Authorization"] = "Bearer " + token
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        text = answer.read().decode("utf-8")
    # Line breaks inside JSON stand between its tokens only; the digits of decimals stay as they are sent.
    print(text.replace("\r", " ").replace("\n", " "))
    return json.loads(text)


def attachments(value):
    if isinstance(value, dict):
        if "contentType" in value and "Binary/" in str(value.get("url", "")):
            yield value["url"]
        for member in value.values():
            yield from attachments(member)
    elif isinstance(value, list):
        for item in value:
            yield from attachments(item)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--base", required=True)
    arguments.add_argument("--token", action="append", required=True)
    asked = arguments.parse_args()
    base = asked.base.rstrip("/")
    resources = get(base + "/metadata", None)["rest"][0]["resource"]
    codes = {resource["type"]: {each["code"] for each in resource.get("interaction", [])} for resource in resources}
    seen = set()
    for token in asked.token:
        for name in (name for name in codes if "search-type" in codes[name]):
            url = f"{base}/{name}?_count=200"
            while url:
                try:
                    page = get(url, token)
                except urllib.error.HTTPError as error:
                    print(f"{name}: {error.code}", file=sys.stderr)
                    break
                for raw in attachments(page):
                    raw = raw if raw.startswith("http") else f"{base}/{raw}"
                    if raw not in seen:
                        seen.add(raw)
                        get(raw, token)
                url = next((link["url"] for link in page.get("link", []) if link["relation"] == "next"), None)


main()
