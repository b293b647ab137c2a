//! The pages over HTTP: sign in, the records, one record, an original, sign out, for each kind of caller.
use crate::harness::people::Kind;
use crate::harness::server::{BLOCKED, World, on_both_with};
use crate::harness::{Actor, Answer, CHILD, PAT_TROIS, Report, on_both};
use dmp_fhir::audit::Action;

/// Someone in front of a browser: the cookie, and the pages below the root of the server.
struct Browser {
    anonymous: Actor,
    root: String,
    cookie: String,
}

impl Browser {
    fn new(world: &World) -> Self {
        let anonymous = world.bearer(None);
        let root = anonymous.base.strip_suffix("/fhir").unwrap().to_owned();
        Self { anonymous, root, cookie: String::new() }
    }

    /// Signs in with the token of this caller.
    fn signed_in(world: &World, actor: &Actor) -> Self {
        let mut browser = Self::new(world);
        let answer = browser.form("/session", &format!("token={}", actor.token.as_deref().unwrap()));
        assert_eq!((answer.status, answer.header("location")), (303, "/"), "{}", answer.text());
        let cookie = answer.header("set-cookie").to_owned();
        for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        browser.cookie = cookie.split(';').next().unwrap().to_owned();
        browser
    }

    fn get(&self, path: &str) -> Answer {
        self.anonymous.send("GET", &format!("{}{path}", self.root), &[("Cookie", &self.cookie)], Vec::new())
    }

    fn form(&self, path: &str, body: &str) -> Answer {
        let headers = [("Cookie", self.cookie.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
        self.anonymous.send("POST", &format!("{}{path}", self.root), &headers, body.as_bytes().to_vec())
    }

    /// A page, with the headers that every page has.
    fn page(&self, path: &str, status: u16) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        is_page(&answer);
        answer.text()
    }
}

fn is_page(answer: &Answer) {
    assert!(answer.header("content-type").starts_with("text/html"), "{}", answer.header("content-type"));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(!answer.header("x-request-id").is_empty());
}

/// The record of PAT-TROIS with one report; its FHIR id.
fn filed(world: &World) -> String {
    let record = world.open_record_for_practitioner(&PAT_TROIS);
    let report = Report::of(&PAT_TROIS, 1).result("3016-3", "2.10", "m[IU]/L", "20260401");
    report.deposit().filed_by(&world.hospital_system());
    record.patient
}

/// The target of the first link that begins with this.
fn link<'a>(page: &'a str, beginning: &str) -> &'a str {
    let start = page.find(&format!("href=\"{beginning}")).unwrap_or_else(|| panic!("no link to {beginning}: {page}")) + 6;
    page[start..].split('"').next().unwrap()
}

#[test]
fn without_a_session_there_is_the_form_to_sign_in() {
    on_both(|world| {
        let patient = filed(world);
        let browser = Browser::new(world);
        assert!(browser.page("/", 200).contains("name=\"token\""));
        for path in [format!("/record/{patient}"), "/page/Binary/1".to_owned()] {
            let page = browser.page(&path, 401);
            assert!(page.contains("name=\"token\"") && !page.contains("PAT-TROIS"));
        }
        let refused = browser.form("/session", "token=a.b.c");
        assert_eq!(refused.status, 401);
        is_page(&refused);
        let wrong = browser.form("/session", "nothing=1");
        assert_eq!(wrong.status, 400);
        is_page(&wrong);
    });
}

#[test]
fn a_professional_finds_a_record_reads_it_and_opens_its_document() {
    on_both(|world| {
        let patient = filed(world);
        let browser = Browser::signed_in(world, &world.general_practitioner());
        assert!(browser.page("/", 200).contains("name=\"ins\""), "the form to look a record up, list or no list");
        let found = browser.form("/record", &format!("ins={}", PAT_TROIS.ins));
        assert_eq!((found.status, found.header("location")), (303, format!("/record/{patient}").as_str()));
        let page = browser.page(&format!("/record/{patient}"), 200);
        for part in ["PAT-TROIS", "2,10", "Compte rendu"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!page.contains("id=\"accesses\""), "the trace is the patient's");
        let original = browser.get(link(&page, "/page/Binary/"));
        assert_eq!(original.status, 200);
        assert_eq!(original.header("content-security-policy"), "sandbox");
        assert_eq!(original.header("x-content-type-options"), "nosniff");
        assert!(original.header("content-disposition").starts_with("attachment"), "{}", original.header("content-disposition"));
        assert!(original.text().contains("<ClinicalDocument"), "{}", original.text());
    });
}

#[test]
fn a_patient_finds_his_own_record_and_who_looked_at_it() {
    on_both(|world| {
        let patient = filed(world);
        let browser = Browser::signed_in(world, &world.patient(&PAT_TROIS));
        let home = browser.page("/", 200);
        assert_eq!(link(&home, "/record/"), format!("/record/{patient}"));
        assert!(!home.contains("name=\"ins\""), "he looks nobody up");
        let page = browser.page(&format!("/record/{patient}"), 200);
        assert!(page.contains("id=\"accesses\"") && page.contains("2,10"));
        assert_eq!(browser.get(link(&page, "/page/Binary/")).status, 200);
        assert!(
            [403, 404].contains(&Browser::signed_in(world, &world.patient(&CHILD)).get(&format!("/record/{patient}")).status)
        );
    });
}

#[test]
fn a_system_looks_up_a_record_and_sees_what_it_deposited() {
    on_both(|world| {
        let patient = filed(world);
        let depositor = Browser::signed_in(world, &world.hospital_system());
        assert!(depositor.page("/", 200).contains("name=\"ins\""));
        let found = depositor.form("/record", &format!("ins={}", PAT_TROIS.ins));
        assert!([303, 404].contains(&found.status), "{}", found.text());
        let page = depositor.page(&format!("/record/{patient}"), 200);
        assert_eq!(depositor.get(link(&page, "/page/Binary/")).status, 200);
        let other = Browser::signed_in(world, &world.other_system());
        assert!(other.page("/", 200).contains("name=\"ins\""));
        let page = other.page(&format!("/record/{patient}"), 403);
        assert!(page.contains("Accès refusé") && !page.contains("PAT-TROIS"));
        other.page(link(&depositor.page(&format!("/record/{patient}"), 200), "/page/Binary/"), 403);
    });
}

#[test]
fn a_blocked_professional_is_told_so_and_sees_nothing() {
    on_both(|world| {
        let patient = filed(world);
        world.consents(&PAT_TROIS, Kind::Blocage, BLOCKED).expect(201);
        let browser = Browser::signed_in(world, &world.blocked());
        browser.page("/", 200);
        let page = browser.page(&format!("/record/{patient}"), 403);
        assert!(page.contains("Accès refusé") && !page.contains("PAT-TROIS") && !page.contains(">2,10"));
    });
}

#[test]
fn a_record_that_is_not_here_is_said_in_the_form_that_asked() {
    on_both(|world| {
        let browser = Browser::signed_in(world, &world.general_practitioner());
        let answer = browser.form("/record", &format!("ins={}", PAT_TROIS.ins));
        assert_eq!(answer.status, 404);
        is_page(&answer);
        assert!(answer.text().contains("Aucun dossier pour ce matricule") && answer.text().contains("name=\"ins\""));
        assert_eq!(browser.get("/page/Binary/unknown").status, 404);
        is_page(&browser.get("/page/Binary/unknown"));
    });
}

#[test]
fn after_signing_out_nothing_opens() {
    on_both(|world| {
        let patient = filed(world);
        let mut browser = Browser::signed_in(world, &world.general_practitioner());
        let out = browser.form("/session/end", "");
        assert_eq!((out.status, out.header("location")), (303, "/"));
        let cookie = out.header("set-cookie").to_owned();
        assert!(cookie.starts_with("dmp_session=;") && cookie.contains("Max-Age=0"), "{cookie}");
        browser.cookie = String::new();
        browser.page(&format!("/record/{patient}"), 401);
    });
}

#[test]
fn pages_are_counted_and_every_search_of_theirs_is_traced() {
    on_both(|world| {
        let patient = filed(world);
        let browser = Browser::signed_in(world, &world.general_practitioner());
        let before = world.trace_rows();
        browser.page(&format!("/record/{patient}"), 200);
        assert_eq!(world.trace_rows(), before + 3, "the Patient, the documents, the results");
        browser.page("/", 200);
        let metrics = browser.get("/metrics").text();
        for name in ["page-sign-in", "page-record", "page-home"] {
            assert!(metrics.contains(&format!("interaction=\"{name}\"")), "{name}: {metrics}");
        }
    });
}

#[test]
fn more_pages_than_a_caller_may_open_is_said_and_is_no_sign_in() {
    on_both_with(
        |options| options.requests_per_minute = Some(1),
        |world| {
            let browser = Browser::signed_in(world, &world.general_practitioner());
            browser.page("/", 200);
            let page = browser.page("/", 429);
            assert!(page.contains("Trop de demandes") && !page.contains("name=\"token\""));
            assert_eq!(world.last_traced(), (Action::Query, 429));
        },
    );
}

#[test]
fn a_record_of_more_results_than_one_search_page_is_shown_whole() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let system = world.hospital_system();
        let mut report = Report::of(&PAT_TROIS, 1);
        for number in 0..1_005 {
            let (day, minute) = (1 + number / 60, number % 60);
            report =
                report.result("2160-0", &format!("{}", 1_000 + number), "umol/L", &format!("202603{day:02}08{minute:02}00+0100"));
        }
        report.deposit().filed_by(&system);
        let page = Browser::signed_in(world, &world.general_practitioner()).page(&format!("/record/{patient}"), 200);
        for value in [1_000, 1_004, 2_004] {
            assert!(page.contains(&format!(">{value}<")), "{value}");
        }
        assert!(!page.contains("plus de résultats"));
    });
}

#[test]
fn results_of_a_replaced_document_are_not_shown() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let system = world.hospital_system();
        let wrong = Report::of(&PAT_TROIS, 1).result("3016-3", "987", "m[IU]/L", "20260401");
        let wrong = wrong.deposit().filed_by(&system);
        let right = Report::of(&PAT_TROIS, 1).version(2).result("3016-3", "2.10", "m[IU]/L", "20260401").deposit();
        let target = format!("DocumentReference/{}", wrong["id"].as_str().unwrap());
        let right = right.with("/relatesTo", serde_json::json!([{"code": "replaces", "target": {"reference": target}}]));
        right.filed_by(&system);
        let page = Browser::signed_in(world, &world.patient(&PAT_TROIS)).page(&format!("/record/{patient}"), 200);
        assert!(page.contains(">2,10") && !page.contains(">987"), "{page}");
        assert!(page.contains("Version remplacée"), "the list of documents says which is the old one");
    });
}
