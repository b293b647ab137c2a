use super::*;
use serde_json::{Value, json};

fn observation(id: &str, code: &str, time: &str, value: Value) -> Value {
    json!({
        "resourceType": "Observation", "id": id, "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}, {"system": "http://loinc.org", "code": "18719-5"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": code}], "text": format!("Analyse {code}")},
        "effectiveDateTime": time,
        "valueQuantity": {"value": value, "unit": "umol/L", "code": "umol/L"}
    })
}

fn tagged(mut observation: Value, code: &str) -> Value {
    observation["meta"] = json!({"tag": [{"system": "urn:x", "code": code}]});
    observation
}

fn set(resources: Vec<Value>) -> Value {
    let entries: Vec<Value> =
        resources.into_iter().map(|resource| json!({"resource": resource, "search": {"mode": "match"}})).collect();
    json!({"resourceType": "Bundle", "type": "searchset", "entry": entries})
}

fn page_of(observations: Vec<Value>) -> String {
    let (patient, none, observations) =
        (json!({"resourceType": "Patient", "name": [{"family": "ESSAI", "given": ["A"]}]}), set(vec![]), set(observations));
    record(&RecordPage {
        patient: &patient,
        documents: &none,
        observations: &observations,
        accesses: None,
        base: "/page",
        caller: "Essai",
        notice: None,
    })
}

/// Text of the page without tags, runs of white space as one space.
fn words(html: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for character in html.chars() {
        match character {
            '<' => inside = true,
            '>' => {
                inside = false;
                out.push(' ');
            }
            other if !inside => out.push(other),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_text_is_escaped() {
    let evil = "<script>alert(1)</script>\"'";
    let mut bad = observation("1", "1", "2026-01-01", json!(1));
    bad["code"]["text"] = json!(evil);
    bad["valueQuantity"]["unit"] = json!(evil);
    bad["note"] = json!([{"text": evil}]);
    let again = observation("2", "1", "2025-01-01", json!(2));
    for page in [page_of(vec![bad, again]), sign_in(Some(evil)), problem(404, evil, Some(evil))] {
        assert!(!page.contains("<script"));
    }
}

#[test]
fn pages_have_no_script_no_inline_style_and_their_language() {
    for page in [page_of(vec![observation("1", "1", "2026-01-01", json!(1))]), sign_in(None), problem(403, "Refus", None)] {
        assert!(page.contains("<html lang=\"fr\">") && page.contains("href=\"/style.css\""));
        assert!(!page.contains("<script") && !page.contains(" style=") && !page.contains("<style") && !page.contains("onclick"));
    }
}

#[test]
fn the_sign_in_form_posts_a_labelled_token() {
    let page = sign_in(None);
    assert!(page.contains("method=\"post\" action=\"/session\""));
    assert!(page.contains("label for=\"token\"") && page.contains("name=\"token\""));
}

#[test]
fn results_of_one_code_stand_together_newest_first() {
    let page = page_of(vec![
        observation("1", "14682-9", "2025-01-10T08:00:00+01:00", json!(70)),
        observation("2", "14682-9", "2026-01-10T08:00:00+01:00", json!(81)),
        observation("3", "2951-2", "2026-01-10T08:00:00+01:00", json!(140)),
    ]);
    let text = words(page.split_once("id=\"analyses\"").unwrap().1);
    assert_eq!(page.matches("<article").count(), 2);
    assert!(text.contains("Valeur (µmol/L)"));
    assert!(text.find("10/01/2026 à 08:00 81").unwrap() < text.find("10/01/2025 à 08:00 70").unwrap());
}

#[test]
fn two_numbers_make_a_plot_and_one_does_not() {
    let two = vec![observation("1", "1", "2025-01-10", json!(70)), observation("2", "1", "2026-01-10", json!(81))];
    assert_eq!(page_of(two.clone()).matches("<svg").count(), 1);
    assert_eq!(page_of(two[..1].to_vec()).matches("<svg").count(), 0);
}

#[test]
fn the_plot_has_a_range_band_and_a_text_alternative() {
    let mut newest = observation("2", "1", "2026-01-10", json!(81));
    newest["referenceRange"] = json!([{"low": {"value": 45, "unit": "umol/L"}, "high": {"value": 84, "unit": "umol/L"}}]);
    let page = page_of(vec![observation("1", "1", "2025-01-10", json!(70)), newest]);
    assert!(
        page.contains("class=\"band\"")
            && page.contains("role=\"img\"")
            && page.contains("2 valeurs du 10/01/2025 au 10/01/2026")
    );
}

#[test]
fn a_bound_or_a_contradicted_value_is_not_drawn() {
    let mut bound = observation("2", "1", "2026-01-10", json!(81));
    bound["valueQuantity"]["comparator"] = json!("<");
    let first = observation("1", "1", "2025-01-10", json!(70));
    let page = page_of(vec![first.clone(), bound]);
    assert!(!page.contains("<svg") && words(&page).contains("&lt; 81 µmol/L"));
    let differs = tagged(observation("2", "1", "2026-01-10", json!(81)), "text-differs");
    let page = page_of(vec![first, differs]);
    assert!(!page.contains("<svg") && page.contains("se contredisent"));
}

#[test]
fn interpretations_are_words_and_code_not_colour_alone() {
    let mut high = observation("1", "1", "2026-01-10", json!(81));
    high["interpretation"] =
        json!([{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "code": "H"}]}]);
    assert!(words(&page_of(vec![high])).contains("Haut (H)"));
}

#[test]
fn a_repeated_result_is_left_out_where_the_record_has_it_and_shown_as_such_where_not() {
    let own = observation("1", "1", "2025-01-10T08:00:00+01:00", json!(70));
    let same = tagged(observation("2", "1", "2025-01-10T07:00:00Z", json!(71)), "reported-previous");
    let page = page_of(vec![own.clone(), same]);
    assert!(!page.contains("71") && !page.contains("Antériorité reprise"));
    let other = tagged(observation("2", "1", "2024-01-10T07:00:00Z", json!(71)), "reported-previous");
    let page = page_of(vec![own, other]);
    assert!(words(&page).contains("à 08:00 71") && page.contains("Antériorité reprise"));
}

#[test]
fn a_denied_fact_never_reads_as_present() {
    let mut denied = observation("1", "1", "2026-01-10", json!(1));
    denied["modifierExtension"] =
        json!([{"url": "http://hl7.org/cda/stds/core/StructureDefinition/negationInd", "valueBoolean": true}]);
    assert!(page_of(vec![denied]).contains("Négation"));
}

#[test]
fn what_was_entered_in_error_is_not_shown() {
    let mut wrong = observation("1", "1", "2026-01-10", json!(987));
    wrong["status"] = json!("entered-in-error");
    assert!(!page_of(vec![wrong]).contains("987"));
}

#[test]
fn a_coded_value_and_a_different_text_are_both_shown() {
    let mut coded = observation("1", "1", "2026-01-10", json!(1));
    coded.as_object_mut().unwrap().remove("valueQuantity");
    coded["valueCodeableConcept"] = json!({"text": "négatif", "coding": [{"code": "positif", "display": "Positif"}]});
    assert!(words(&page_of(vec![tagged(coded, "text-differs")])).contains("négatif (code : Positif)"));
}

fn antibiotic(id: &str, code: &str, value: &str) -> Value {
    let mut antibiotic = observation(id, code, "2026-02-01T10:00:00+01:00", json!(1));
    antibiotic["interpretation"] = json!([{"coding": [{"code": value}]}]);
    antibiotic
}

fn holds(id: &str, value: Option<&str>, members: &[&str]) -> Value {
    let references: Vec<Value> = members.iter().map(|id| json!({"reference": format!("Observation/{id}")})).collect();
    let mut group = json!({
        "resourceType": "Observation", "id": id, "status": "final", "code": {"text": "Isolat"},
        "effectiveDateTime": "2026-02-01T10:00:00+01:00", "hasMember": references
    });
    if let Some(value) = value {
        group["valueCodeableConcept"] = json!({"text": value});
    }
    group
}

#[test]
fn antibiotics_stand_under_their_own_organism() {
    let page = page_of(vec![
        holds("i1", Some("Escherichia coli"), &["b1"]),
        holds("b1", None, &["x1"]),
        antibiotic("x1", "20-8", "R"),
        holds("i2", Some("Streptococcus"), &["x2"]),
        antibiotic("x2", "20-8", "S"),
    ]);
    let text = words(&page);
    let (coli, strepto) = (text.find("Escherichia coli").unwrap(), text.find("Streptococcus").unwrap());
    let (resistant, sensitive) = (text.find("Résistant (R)").unwrap(), text.find("Sensible (S)").unwrap());
    assert!(coli < resistant && resistant < strepto && strepto < sensitive);
    assert!(!page.contains("id=\"analyses\""), "an antibiotic without its organism says nothing");
}

#[test]
fn comment_and_reference_of_an_antibiotic_are_shown() {
    let mut line = antibiotic("x1", "20-8", "R");
    line["note"] = json!([{"text": "Résistance confirmée"}]);
    line["referenceRange"] = json!([{"low": {"value": 2, "unit": "mg/L"}, "high": {"value": 8, "unit": "mg/L"}}]);
    let page = page_of(vec![holds("i1", Some("Escherichia coli"), &["x1"]), line]);
    let text = words(page.split_once("id=\"isolates\"").unwrap().1);
    assert!(text.contains("Résistance confirmée") && text.contains("2 mg/L – 8 mg/L"), "{text}");
}

const INTERPRETATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";

/// The words of a page with one result of these interpretations.
fn interpreted(concepts: Value) -> String {
    let mut result = observation("1", "1", "2026-01-10", json!(81));
    result["interpretation"] = concepts;
    words(&page_of(vec![result]))
}

#[test]
fn every_interpretation_is_shown() {
    let two =
        json!([{"coding": [{"system": INTERPRETATION, "code": "H"}]}, {"coding": [{"system": INTERPRETATION, "code": "R"}]}]);
    let text = interpreted(two);
    assert!(text.contains("Haut (H)") && text.contains("Résistant (R)"), "{text}");
    let one_unknown = json!([{"coding": [{"system": INTERPRETATION, "code": "N"}]}, {"coding": [{"system": INTERPRETATION, "code": "LU", "display": "Significantly low"}]}]);
    let text = interpreted(one_unknown);
    assert!(text.contains("Normal (N)") && text.contains("Interprétation : Significantly low (LU)"), "{text}");
    let beside = json!([{"coding": [{"system": INTERPRETATION, "code": "N"}, {"system": INTERPRETATION, "code": "U"}]}]);
    assert!(interpreted(beside).contains("Interprétation : U"));
    assert!(interpreted(json!([{"text": "À contrôler"}])).contains("Interprétation : À contrôler"));
}

#[test]
fn a_code_of_another_system_is_not_taken_for_an_interpretation() {
    let text = interpreted(json!([{"coding": [{"system": "urn:oid:1.2.3", "code": "S"}]}]));
    assert!(!text.contains("Sensible") && text.contains("Interprétation : S"), "{text}");
}

#[test]
fn what_was_replaced_is_not_shown() {
    let page = page_of(vec![tagged(observation("1", "1", "2026-01-10", json!(987)), "superseded")]);
    assert!(!page.contains("987"));
}

#[test]
fn a_cancelled_or_denied_result_is_listed_but_is_not_the_present_value() {
    let standing = observation("1", "1", "2025-01-10", json!(70));
    let mut cancelled = observation("2", "1", "2026-01-10", json!(987));
    cancelled["status"] = json!("cancelled");
    let mut denied = observation("3", "1", "2026-02-10", json!(654));
    denied["modifierExtension"] =
        json!([{"url": "http://hl7.org/cda/stds/core/StructureDefinition/negationInd", "valueBoolean": true}]);
    let page = page_of(vec![standing, cancelled, denied]);
    let (before, list) = page.split_at(page.find("Valeurs, de la plus récente").unwrap());
    assert!(words(before).contains("70 µmol/L") && !before.contains("987") && !before.contains("654"));
    assert!(list.contains("987") && list.contains("Annulé") && list.contains("654") && list.contains("Négation"));
}

#[test]
fn repeated_results_without_a_time_are_all_kept() {
    let timeless = |id: &str, value: i32| {
        let mut result = observation(id, "1", "", json!(value));
        result.as_object_mut().unwrap().remove("effectiveDateTime");
        result
    };
    let page = page_of(vec![timeless("1", 70), tagged(timeless("2", 71), "reported-previous")]);
    assert!(words(&page).contains("71"));
}

#[test]
fn a_range_that_is_not_the_normal_one_says_what_it_is_for() {
    let mut result = observation("1", "1", "2026-01-10", json!(81));
    result["referenceRange"] = json!([
        {"low": {"value": 45}, "high": {"value": 84}, "type": {"coding": [{"code": "normal"}]}},
        {"low": {"value": 10}, "high": {"value": 20}, "type": {"text": "Zone thérapeutique"}, "appliesTo": [{"text": "grossesse"}]},
    ]);
    let text = words(&page_of(vec![result]));
    assert!(text.contains("45 – 84 ; Zone thérapeutique, grossesse : 10 – 20"), "{text}");
}

#[test]
fn the_first_page_without_a_list_does_not_say_that_it_is_empty() {
    let page = |records| home(&HomePage { caller: "", records, may_look_up: true, notice: Some("Pas de liste.") });
    assert!(!page(None).contains("Aucun dossier") && page(None).contains("Pas de liste.") && page(None).contains("name=\"ins\""));
    assert!(page(Some(&[])).contains("Aucun dossier"));
}

#[test]
fn members_that_form_a_circle_end() {
    let page = page_of(vec![holds("i1", Some("Germe"), &["i2"]), holds("i2", Some("Autre"), &["i1"])]);
    assert!(page.contains("Germe"));
}

#[test]
fn the_comment_of_an_act_stands_first() {
    let mut act = holds("a", None, &["1"]);
    act["note"] = json!([{"text": "Traitement immédiat"}]);
    act.as_object_mut().unwrap().remove("effectiveDateTime");
    let page = page_of(vec![act, observation("1", "1", "2026-02-01", json!(1))]);
    assert!(words(&page).contains("01/02/2026 , Isolat : Traitement immédiat"), "the time is that of its results");
    assert!(page.find("Traitement immédiat").unwrap() < page.find("<table").unwrap());
}

#[test]
fn documents_link_to_their_originals_and_show_who_sees_them() {
    let document = json!({
        "resourceType": "DocumentReference", "status": "superseded", "date": "2026-03-14T07:15:00Z", "type": {"text": "CR d'examens biologiques"},
        "contained": [
            {"resourceType": "Practitioner", "id": "p", "name": [{"family": "SUREAU", "given": ["Nils"]}]},
            {"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "#p"}, "organization": {"display": "Laboratoire"}}
        ],
        "author": [{"reference": "#r"}],
        "securityLabel": [{"coding": [{"code": "MASQUE_PS"}]}],
        "content": [{"attachment": {"title": "Compte rendu", "url": "https://dmp.example/fhir/Binary/b-1"}}]
    });
    let (patient, documents, none) = (json!({"resourceType": "Patient"}), set(vec![document]), set(vec![]));
    let page = record(&RecordPage {
        patient: &patient,
        documents: &documents,
        observations: &none,
        accesses: Some(&none),
        base: "/page",
        caller: "",
        notice: None,
    });
    assert!(page.contains("href=\"/page/Binary/b-1\""));
    let text = words(&page);
    for part in
        ["14/03/2026 à 08:15", "Nils SUREAU (Laboratoire)", "Version remplacée", "Masqué aux professionnels", "Aucun accès."]
    {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn accesses_name_who_what_and_how_it_ended() {
    let event = json!({
        "resourceType": "AuditEvent", "recorded": "2026-11-24T13:00:00.000Z", "action": "R", "outcome": "4",
        "agent": [{"requestor": true, "name": "Dr Odile ESSAI-HOUX", "who": {"identifier": {"value": "99900000037"}}}],
        "entity": [{"what": {"reference": "Binary/1"}}]
    });
    let (patient, none, accesses) = (json!({"resourceType": "Patient"}), set(vec![]), set(vec![event]));
    let page = record(&RecordPage {
        patient: &patient,
        documents: &none,
        observations: &none,
        accesses: Some(&accesses),
        base: "/page",
        caller: "",
        notice: None,
    });
    assert!(
        words(&page)
            .contains("24/11/2026 à 14:00 Dr Odile ESSAI-HOUX (99900000037) Consultation : document Refusé ou non trouvé")
    );
}

#[test]
fn what_is_cut_off_is_said() {
    let mut observations = set(vec![observation("1", "1", "2026-01-10", json!(1))]);
    observations["link"] = json!([{"relation": "next", "url": "x"}]);
    let (patient, none) = (json!({"resourceType": "Patient"}), set(vec![]));
    let page = record(&RecordPage {
        patient: &patient,
        documents: &none,
        observations: &observations,
        accesses: None,
        base: "/page",
        caller: "",
        notice: None,
    });
    let (notice, first) = (page.find("D'autres résultats").unwrap(), page.find("Analyse 1").unwrap());
    assert!(notice < first, "before the results that it is about");
}
