//! What a search does with what it does not know or cannot read. <https://hl7.org/fhir/R4/search.html#errors>
use crate::harness::actor::{encoded, link, resources};
use crate::harness::server::World;
use crate::harness::{PAT_TROIS, Report, on_both};

fn filed(world: &World) -> String {
    let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
    Report::of(&PAT_TROIS, 1).result("3016-3", "2.1", "m[IU]/L", "20260401").deposit().filed_by(&world.hospital_system());
    patient
}

/// What R4 knows and this server does not, and what nobody knows.
const UNKNOWN: [&str; 9] = [
    "nonsense=1",
    "code:nonsense=1",
    "subject.nonsense=1",
    "_has:Observation:nonsense:code=1",
    "_query=everything",
    "_contained=true",
    "_contained=both",
    "_sort=nonsense",
    "_include=Observation:nonsense",
];

#[test]
fn what_is_unknown_is_refused_unless_the_client_is_lenient() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        for unknown in UNKNOWN {
            let path = format!("Observation?patient={patient}&{unknown}&code=3016-3");
            doctor.get(&path).refuses(400, "not-supported", None);
            let with = |prefer| doctor.send("GET", &path, &[("Accept", "application/fhir+json"), ("Prefer", prefer)], Vec::new());
            with("handling=strict").refuses(400, "not-supported", None);
            let bundle = with("handling=lenient").expect(200);
            let entries = bundle["entry"].as_array().unwrap();
            let outcomes: Vec<_> = entries.iter().filter(|entry| entry["search"]["mode"] == "outcome").collect();
            assert_eq!(outcomes.len(), 1, "{unknown}");
            let issues = outcomes[0]["resource"]["issue"].as_array().unwrap();
            assert!(issues.iter().all(|issue| issue["severity"] == "warning" || issue["severity"] == "information"), "{unknown}");
            let own = link(&bundle, "self").unwrap();
            assert!(own.contains("code=3016-3") && !own.contains(unknown.split('=').next().unwrap()), "{own}");
            assert_eq!((&bundle["total"], entries.len()), (&serde_json::json!(1), 2), "the outcome is no match: {unknown}");
        }
    });
}

#[test]
fn a_wrong_value_is_refused_also_where_the_client_is_lenient() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        for wrong in [
            "date=23.May.2009",
            "date=2026-04-01T10",
            "date=2026-04-01T:30",
            "date=2026-13-01",
            "date=2026-04-01T10:30+0200",
            "value-quantity=much",
            "_count=-1",
            "_summary=some",
            "_total=about",
            "code:missing=maybe",
            "_lastUpdated=yesterday",
            "code:in=ValueSet/absent",
            "_filter=code",
        ] {
            let path = format!("Observation?patient={patient}&{}", wrong.replace('+', "%2B"));
            doctor.get(&path).refuses(400, "", None);
            let headers = [("Accept", "application/fhir+json"), ("Prefer", "handling=lenient")];
            doctor.send("GET", &path, &headers, Vec::new()).refuses(400, "", None);
        }
    });
}

#[test]
fn a_zone_may_be_written_with_a_plus_or_percent_encoded() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        for date in [
            "ge2026-03-31T23:30:00+01:00",
            "ge2026-03-31T23:30:00%2B01:00",
            "lt2026-04-03T00:00:00Z",
            "ge2026-03-31T23:30%2B01:00",
        ] {
            let found = doctor.search(&format!("Observation?patient={patient}&code=3016-3&date={date}"));
            assert_eq!(found.len(), 1, "{date}");
        }
    });
}

#[test]
fn narrative_and_content_are_searched_by_words() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let div = "<div xmlns=\"http://www.w3.org/1999/xhtml\">Élévation <b>nette</b> du taux</div>";
        let body = serde_json::json!({"resourceType": "Observation", "status": "final", "code": {"text": "Dosage particulier"},
            "text": {"status": "additional", "div": div}, "subject": {"reference": format!("Patient/{patient}")}});
        world.hospital_system().post("Observation", &body).expect(201);
        let count = |query: &str| doctor.search(&format!("Observation?patient={patient}&{query}")).len();
        for (query, expected) in [
            ("_text=elevation", 1),
            ("_text=taux%20nette", 1),
            ("_text=particulier", 0),
            ("_content=particulier", 1),
            ("_content=nette%20dosage", 1),
            ("_content=absent", 0),
        ] {
            assert_eq!(count(query), expected, "{query}");
        }
    });
}

#[test]
fn near_is_not_served_and_says_so() {
    on_both(|world| {
        let answer = world.general_practitioner().get(&format!("Location?near={}", encoded("47.2|-1.5|10|km")));
        answer.refuses(400, "not-supported", None);
        assert!(answer.text().contains("near"), "{}", answer.text());
    });
}

#[test]
fn source_is_found_as_it_is_and_a_urn_is_below_itself_alone() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let result = &doctor.search(&format!("Observation?patient={patient}&code=3016-3"))[0];
        let source = result["meta"]["source"].as_str().unwrap();
        let (above, below) = (source.rsplit_once('.').unwrap().0, format!("{source}.1"));
        for (modifier, value, expected) in [
            ("", source, 1),
            ("", above, 0),
            (":below", source, 1),
            (":below", above, 0),
            (":above", source, 1),
            (":above", &below, 0),
        ] {
            let query = format!("Observation?patient={patient}&code=3016-3&_source{modifier}={value}");
            assert_eq!(resources(&doctor.read(&query)).len(), expected, "{modifier} {value}");
        }
    });
}
