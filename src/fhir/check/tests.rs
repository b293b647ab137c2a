//! Each fault with its place, and what must pass: the official examples and the inputs of the validator, where present.
use super::check;
use crate::fhir::{IssueKind, json, xml};
use std::path::{Path, PathBuf};

/// Kind and FHIRPath of every issue.
fn faults(text: &str) -> Vec<(IssueKind, String)> {
    let resource = json::parse_unchecked(text.as_bytes()).unwrap();
    check(&resource).into_iter().map(|issue| (issue.kind, issue.expression.unwrap_or_default())).collect()
}

#[track_caller]
fn one(text: &str, kind: IssueKind, place: &str) {
    assert_eq!(faults(text), [(kind, place.to_owned())], "{text}");
}

fn patient(members: &str) -> String {
    format!(r#"{{"resourceType":"Patient",{members}}}"#)
}

fn observation(members: &str) -> String {
    format!(r#"{{"resourceType":"Observation","status":"final","code":{{"coding":[{{"system":"s","code":"c"}}]}},{members}}}"#)
}

use IssueKind::{InvariantBroken, RequiredMissing, StructureInvalid, ValueInvalid};

#[test]
fn a_resource_of_r4_has_no_issue() {
    let text = patient(
        r##""id":"p","active":true,"_active":{"id":"x"},"birthDate":"1970-01","name":[{"given":["A",null,"C"],
        "_given":[null,{"extension":[{"url":"u","valueCode":"x"}]},{"id":"i"}]}],"multipleBirthInteger":2,
        "contained":[{"resourceType":"Organization","id":"o","name":"n"}],"managingOrganization":{"reference":"#o"}"##,
    );
    assert_eq!(faults(&text), []);
}

#[test]
fn an_unknown_element_is_named_where_it_stands() {
    one(&patient(r#""name":[{"familly":"x"}]"#), StructureInvalid, "Patient.name[0].familly");
    one(&patient(r#""foo":[]"#), StructureInvalid, "Patient.foo");
    one(&patient(r#""_name":{"id":"a"}"#), StructureInvalid, "Patient._name");
    one(&patient(r#""name":[{"family":"f","_id":{"id":"a"}}]"#), StructureInvalid, "Patient.name[0]._id");
    one(&patient(r#""maritalStatus":{"resourceType":"x"}"#), StructureInvalid, "Patient.maritalStatus.resourceType");
    one(&patient(r#""a'b\n":1"#), StructureInvalid, "Patient.%unknown");
    one(&observation(r#""valueDecimal":1.0"#), StructureInvalid, "Observation.valueDecimal");
    one(&observation(r#""value":1.0"#), StructureInvalid, "Observation.value");
}

#[test]
fn nothing_is_empty() {
    one(&patient(r#""name":[]"#), StructureInvalid, "Patient.name");
    one(&patient(r#""maritalStatus":{}"#), StructureInvalid, "Patient.maritalStatus");
    one(&patient(r#""name":[{"family":""}]"#), StructureInvalid, "Patient.name[0].family");
    one(&patient(r#""name":[{"given":[]}]"#), StructureInvalid, "Patient.name[0].given");
    one(&patient(r#""active":null"#), StructureInvalid, "Patient.active");
    one(&patient(r#""name":[null]"#), StructureInvalid, "Patient.name[0]");
    one(&patient(r#""name":[{"given":["a",null]}]"#), StructureInvalid, "Patient.name[0].given[1]");
    one(&patient(r#""_active":{}"#), StructureInvalid, "Patient.active");
    one(&patient(r#""name":null"#), StructureInvalid, "Patient.name");
}

#[test]
fn arrays_stand_where_the_definition_has_them() {
    one(&patient(r#""gender":["male"]"#), StructureInvalid, "Patient.gender");
    one(&patient(r#""name":{"family":"X"}"#), StructureInvalid, "Patient.name");
    one(&patient(r#""name":[{"given":"X"}]"#), StructureInvalid, "Patient.name[0].given");
    one(&patient(r#""contact":[{"name":[{"family":"a"}]}]"#), StructureInvalid, "Patient.contact[0].name");
    one(&patient(r#""name":["x"]"#), StructureInvalid, "Patient.name[0]");
    one(&patient(r#""name":[{"given":["a","b"],"_given":[{"id":"x"}]}]"#), StructureInvalid, "Patient.name[0].given");
}

#[test]
fn a_required_element_is_missed_where_it_should_stand() {
    one(r#"{"resourceType":"Observation","status":"final"}"#, RequiredMissing, "Observation.code");
    one(&patient(r#""link":[{"other":{"display":"x"}}]"#), RequiredMissing, "Patient.link[0].type");
    one(&patient(r#""extension":[{"valueCode":"x"}]"#), RequiredMissing, "Patient.extension[0].url");
    let absent =
        r#"{"resourceType":"Observation","_status":{"extension":[{"url":"u","valueCode":"unknown"}]},"code":{"text":"x"}}"#;
    assert_eq!(faults(absent), [], "an extension stands for the value");
}

#[test]
fn a_choice_has_one_value() {
    one(&observation(r#""valueString":"x","valueInteger":1"#), StructureInvalid, "Observation.value");
    one(&observation(r#""valueString":"x","_valueInteger":{"id":"x"}"#), StructureInvalid, "Observation.value");
    assert_eq!(faults(&observation(r#""valueString":"x","_valueString":{"id":"x"}"#)), []);
}

#[test]
fn primitives_have_their_type_and_syntax() {
    one(&patient(r#""active":"true""#), StructureInvalid, "Patient.active");
    one(&patient(r#""birthDate":"1970-13-41""#), ValueInvalid, "Patient.birthDate");
    one(&patient(r#""birthDate":1970"#), StructureInvalid, "Patient.birthDate");
    one(&patient(r#""id":"a b""#), ValueInvalid, "Patient.id");
    one(&patient(r#""multipleBirthInteger":1.5"#), ValueInvalid, "Patient.multipleBirth.ofType(integer)");
    one(&patient(r#""photo":[{"contentType":"image/png","data":"@@@@"}]"#), ValueInvalid, "Patient.photo[0].data");
    one(&patient(r#""identifier":[{"system":"http://a b"}]"#), ValueInvalid, "Patient.identifier[0].system");
    one(&observation(r#""issued":"2020-01-01""#), ValueInvalid, "Observation.issued");
    one(&observation(r#""effectiveDateTime":"2020-01-01T10:00""#), ValueInvalid, "Observation.effective.ofType(dateTime)");
    let string = observation(r#""valueQuantity":{"value":"1.5"}"#);
    one(&string, StructureInvalid, "Observation.value.ofType(Quantity).value");
    one(&patient(r#""active":{"a":1}"#), StructureInvalid, "Patient.active");
}

#[test]
fn required_codes_are_of_their_value_set() {
    one(&patient(r#""gender":"homme""#), ValueInvalid, "Patient.gender");
    one(&patient(r#""language":"klingon_xx""#), ValueInvalid, "Patient.language");
    one(&patient(r#""photo":[{"contentType":"notamime","url":"u"}]"#), ValueInvalid, "Patient.photo[0].contentType");
    let invoice = r#"{"resourceType":"Invoice","status":"issued","totalNet":{"value":1.0,"currency":"ZZZ"}}"#;
    one(invoice, ValueInvalid, "Invoice.totalNet.currency");
    let allergy = |system: &str| {
        format!(
            r#"{{"resourceType":"AllergyIntolerance","patient":{{"reference":"Patient/1"}},"clinicalStatus":{{"coding":[{{"system":"{system}","code":"active"}}]}}}}"#
        )
    };
    assert_eq!(faults(&allergy("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical")), []);
    one(&allergy("http://other"), ValueInvalid, "AllergyIntolerance.clinicalStatus");
}

#[test]
fn references_have_a_target_that_may_stand_there() {
    let at = "Observation.subject.reference";
    one(&observation(r#""subject":{"reference":"Medication/p"}"#), ValueInvalid, at);
    one(&observation(r#""subject":{"reference":"http://x/fhir/Medication/p"}"#), ValueInvalid, at);
    one(&observation(r#""subject":{"reference":"nothing at all"}"#), ValueInvalid, at);
    one(&observation(r##""subject":{"reference":"#nope"}"##), InvariantBroken, at);
    let contained = r##""contained":[{"resourceType":"Medication","id":"m"}],"subject":{"reference":"#m"}"##;
    one(&observation(contained), ValueInvalid, at);
    for good in ["Patient/p", "urn:uuid:x", "http://x/fhir/Patient/1", "Patient?identifier=a|b", "http://x/anything"] {
        assert_eq!(faults(&observation(&format!(r#""subject":{{"reference":"{good}"}}"#))), [], "{good}");
    }
}

#[test]
fn contained_resources_are_flat_referred_to_and_without_versions() {
    let contained = |inner: &str, reference: &str| {
        patient(&format!(
            r##""contained":[{{"resourceType":"Organization","id":"a","name":"n"{inner}}}],"managingOrganization":{{"reference":"{reference}"}}"##
        ))
    };
    assert_eq!(faults(&contained("", "#a")), []);
    one(&contained("", "Organization/a"), InvariantBroken, "Patient.contained[0]");
    let back = r##","extension":[{"url":"u","valueReference":{"reference":"#"}}]"##;
    assert_eq!(faults(&contained(back, "Organization/a")), []);
    let inner = r#","contained":[{"resourceType":"Patient","id":"b"}]"#;
    assert!(faults(&contained(inner, "#a")).contains(&(InvariantBroken, "Patient.contained[0].contained".into())));
    let version = r#","meta":{"versionId":"1"}"#;
    one(&contained(version, "#a"), InvariantBroken, "Patient.contained[0].meta.versionId");
    one(&contained(r#","foo":1"#, "#a"), StructureInvalid, "Patient.contained[0].foo");
    let without = patient(r#""contained":[{"resourceType":"Organization","name":"n"}]"#);
    one(&without, InvariantBroken, "Patient.contained[0]");
}

/// Rows of tests/specs/r4-invariants.md: rule, place, resource.
fn broken_invariants() -> impl Iterator<Item = [&'static str; 3]> {
    let rows = include_str!("../../../tests/specs/r4-invariants.md").lines().filter(|line| line.ends_with("` |"));
    rows.map(|line| {
        let mut cells = line.trim_matches('|').splitn(3, '|').map(|cell| cell.trim().trim_matches('`'));
        std::array::from_fn(|_| cells.next().unwrap())
    })
}

#[test]
fn each_invariant_is_refused_at_its_place() {
    for [key, place, text] in broken_invariants() {
        let issues = check(&json::parse_unchecked(text.as_bytes()).unwrap());
        let found: Vec<_> = issues.iter().map(|issue| (issue.kind, issue.expression.as_deref())).collect();
        assert_eq!(found, [(InvariantBroken, Some(place))], "{key}: {text}: {issues:?}");
        assert!(issues[0].diagnostics.starts_with(&format!("{key}: ")), "{key}: {}", issues[0].diagnostics);
    }
}

#[test]
fn every_invariant_of_the_table_has_a_resource_that_breaks_it() {
    let broken: std::collections::HashSet<&str> = broken_invariants().map(|[key, ..]| key).collect();
    for key in super::invariants::keys() {
        assert!(broken.contains(key), "tests/specs/r4-invariants.md has no row for {key}");
    }
}

#[test]
fn entries_of_a_bundle_are_judged_where_they_stand() {
    let bundle = |kind: &str, entry: &str| format!(r#"{{"resourceType":"Bundle","type":"{kind}","entry":[{entry}]}}"#);
    let resource = r#"{"resourceType":"Patient","gender":"homme"}"#;
    let entry = format!(r#"{{"fullUrl":"urn:uuid:1","resource":{resource}}}"#);
    one(&bundle("collection", &entry), ValueInvalid, "Bundle.entry[0].resource.gender");
    let good = r#"{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient"}}"#;
    one(
        &bundle("collection", r#"{"resource":{"resourceType":"Patient"},"search":{"mode":"match"}}"#),
        InvariantBroken,
        "Bundle.entry[0].search",
    );
    one(&bundle("transaction", good), InvariantBroken, "Bundle.entry[0].request");
    one(&bundle("transaction-response", good), InvariantBroken, "Bundle.entry[0].response");
    one(&bundle("collection", &format!("{good},{good}")), InvariantBroken, "Bundle.entry[1].fullUrl");
    one(
        &bundle("collection", r#"{"fullUrl":"http://x/Patient/1/_history/1","resource":{"resourceType":"Patient"}}"#),
        InvariantBroken,
        "Bundle.entry[0].fullUrl",
    );
    one(&bundle("collection", r#"{"id":"x"}"#), InvariantBroken, "Bundle.entry[0]");
    one(r#"{"resourceType":"Bundle","type":"collection","total":3}"#, InvariantBroken, "Bundle.total");
}

#[test]
fn a_resource_says_its_type() {
    one(r#"{"id":"x"}"#, StructureInvalid, "");
    one(r#"{"resourceType":"Patiente"}"#, StructureInvalid, "");
    one(r#"{"resourceType":"HumanName"}"#, StructureInvalid, "");
    one(r#"{"resourceType":"DomainResource"}"#, StructureInvalid, "");
    one(
        &patient(r##""contained":[{"id":"x"}],"extension":[{"url":"#x","valueCode":"c"}]"##),
        StructureInvalid,
        "Patient.contained[0]",
    );
}

#[test]
fn all_faults_are_reported_up_to_fifty() {
    assert_eq!(faults(&patient(r#""active":1,"gender":"x","birthDate":"y""#)).len(), 3);
    let many: Vec<String> = (0..200).map(|index| format!(r#""x{index}":1"#)).collect();
    assert_eq!(faults(&patient(&many.join(","))).len(), 50);
}

#[test]
fn a_large_body_is_judged_in_time_proportional_to_its_size() {
    let contained: Vec<String> =
        (0..20_000).map(|index| format!(r#"{{"resourceType":"Organization","id":"o{index}","name":"n"}}"#)).collect();
    let references: Vec<String> = (0..20_000).map(|index| format!(r##"{{"reference":"#o{index}"}}"##)).collect();
    let codings: Vec<String> = (0..20_000).map(|index| format!(r#"{{"system":"s","code":"{index}"}}"#)).collect();
    let start = std::time::Instant::now();
    let text = patient(&format!(r#""contained":[{}],"generalPractitioner":[{}]"#, contained.join(","), references.join(",")));
    assert_eq!(faults(&text), []);
    let text = observation(&format!(r#""valueString":"x","component":[{{"code":{{"coding":[{}]}}}}]"#, codings.join(",")));
    let text = text.replace(r#"[{"system":"s","code":"c"}]"#, &format!("[{}]", codings.join(",").replace(r#""s""#, r#""t""#)));
    assert_eq!(faults(&text), []);
    assert!(start.elapsed() < std::time::Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn narratives_are_passive_xhtml() {
    let text = |div: &str| patient(&format!(r#""text":{{"status":"generated","div":"{div}"}}"#));
    assert_eq!(faults(&text(r#"<div xmlns=\"http://www.w3.org/1999/xhtml\">p</div>"#)), []);
    one(&text("<div>x</div>"), ValueInvalid, "Patient.text.div");
    one(&text(r#"<div xmlns=\"http://www.w3.org/1999/xhtml\"><script>x</script></div>"#), ValueInvalid, "Patient.text.div");
}

/// The official R4 examples, where `npm pack hl7.fhir.r4.examples@4.0.1` was unpacked as `target/r4-examples`.
pub(in crate::fhir) fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/r4-examples");
    // The few larger files (collections of definitions) take most of the time and show nothing more.
    let is_example = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        name.ends_with(".json") && !matches!(name, "package.json" | ".index.json") && path.metadata().unwrap().len() < 500_000
    };
    files(&folder).into_iter().filter(is_example).collect()
}

pub(in crate::fhir) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        println!("skipped: {} is not here", folder.display());
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// Examples that break R4 itself: a narrative without text (txt-2), a required element absent, an id with other characters,
/// a reference to a type that the element does not permit.
const BROKEN_EXAMPLES: &[&str] = &[
    "ActivityDefinition-blood-tubes-supply",
    "ActivityDefinition-heart-valve-replacement",
    "DeviceMetric-example",
    "DeviceUseStatement-example",
    "EventDefinition-example",
    "MedicationRequest-medrx0301",
    "Observation-clinical-gender",
    "Questionnaire-qs1",
    "Questionnaire-zika-virus-exposure-assessment",
    "SearchParameter-codesystem-extensions-CodeSystem-author",
    "SearchParameter-codesystem-extensions-CodeSystem-effective",
    "SearchParameter-codesystem-extensions-CodeSystem-end",
    "SearchParameter-codesystem-extensions-CodeSystem-keyword",
    "SearchParameter-codesystem-extensions-CodeSystem-workflow",
    "SearchParameter-questionnaireresponse-extensions-QuestionnaireResponse-item-subject",
    "SearchParameter-valueset-extensions-ValueSet-author",
    "SearchParameter-valueset-extensions-ValueSet-effective",
    "SearchParameter-valueset-extensions-ValueSet-end",
    "SearchParameter-valueset-extensions-ValueSet-keyword",
    "SearchParameter-valueset-extensions-ValueSet-workflow",
];

#[test]
fn the_official_examples_have_no_issue() {
    let mut refused = Vec::new();
    for path in examples() {
        let bytes = std::fs::read(&path).unwrap();
        if let Err(problem) = json::parse(&bytes) {
            println!("{}: {:?}", path.display(), problem.issues().next());
            refused.push(path.file_stem().unwrap().to_str().unwrap().to_owned());
        }
    }
    if !examples().is_empty() {
        assert_eq!(refused, BROKEN_EXAMPLES);
    }
}

/// Broken inputs that need profiles, terminology or grammars beyond R4's base definitions.
const BEYOND: &[&str] = &[
    "bad-code-extensible-loaded.json",
    "bad-code-hl7-interp.json",
    "bad-code-v3.json",
    "ext-wrong-context.json",
    "ext-wrong-value.json",
    "modifier-ext.json",
    "sp-bad.json",
    "ucum-bad.json",
    "unknown-hl7-ext.json",
    "unknown-profile.json",
];

#[test]
fn the_validators_broken_inputs_are_refused_and_its_good_ones_accepted() {
    for path in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tools/fhir-validator/inputs")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let result = match path.extension().and_then(|extension| extension.to_str()) {
            Some("xml") => xml::read(&bytes),
            Some("json") => json::parse(&bytes),
            _ => continue,
        };
        let good = name.starts_with("ok-") || BEYOND.contains(&name);
        assert_eq!(result.is_ok(), good, "{name}: {result:?}");
    }
}
