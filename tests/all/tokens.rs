//! Which tokens are accepted: signed by a key of the issuer, for this audience, now (RFC 7519, RFC 8725).
use crate::harness::server::Forged;
use crate::harness::{PAT_TROIS, on_both};

#[test]
fn a_token_of_the_issuer_is_accepted() {
    on_both(|world| {
        world.open_record_for_practitioner(&PAT_TROIS);
        let good = world.forged(Forged::Good);
        assert_eq!(world.bearer(Some(&good)).get(&format!("Patient?identifier={}", PAT_TROIS.token())).status, 200);
    });
}

#[test]
fn every_other_token_is_refused_without_a_reason_that_helps_an_attacker() {
    on_both(|world| {
        world.open_record_for_practitioner(&PAT_TROIS);
        let before = world.trace_rows();
        for (name, token) in Forged::bad().map(|forged| (forged.name(), world.forged(forged))) {
            let answer = world.bearer(Some(&token)).get(&format!("Patient?identifier={}", PAT_TROIS.token()));
            assert_eq!(answer.status, 401, "{name}: {}", answer.text());
            answer.refuses(401, "login", None);
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{name}");
            assert!(!answer.text().contains(&token), "{name}: the token is not repeated");
        }
        assert_eq!(world.trace_rows(), before, "a refusal before authentication is counted, not traced");
    });
}

#[test]
fn what_is_no_bearer_token_is_refused() {
    on_both(|world| {
        let anonymous = world.bearer(None);
        let accept = ("Accept", "application/fhir+json");
        for value in ["Basic dTpw", "Bearer", "Bearer ", "Bearer a.b.c", "bearer", "Negotiate x", "Bearer a b"] {
            let answer = anonymous.send("GET", "Patient/1", &[accept, ("Authorization", value)], Vec::new());
            assert_eq!(answer.status, 401, "{value}");
        }
        anonymous.get("Patient/1").refuses(401, "login", None);
    });
}
