//! Originals of documents on both databases.
#![expect(clippy::unwrap_used, reason = "a failure of a helper is a failure of its test")]
use crate::store::{Bench, depositor, ins, kind, observation, on_both, professional, reader, writer};
use dmp_fhir::fhir::outcome::IssueKind;
use dmp_fhir::ids::{Pid, Rid};
use dmp_fhir::policy::permit::label;
use dmp_fhir::store::{
    DocumentTwin, NewResource, Original, document_find, document_get, document_put, document_register, resource_put,
    resource_read,
};

fn binary(rid: i64, authors: &[&str]) -> NewResource {
    let authors = authors.iter().map(|name| format!("rpps:{}", crate::store::rpps(name).as_str())).collect();
    NewResource { resource_type: kind("Binary"), authors, ..observation(Rid(rid), 1, &[]) }
}

fn deposit(bench: &Bench, pid: Pid, rid: i64, bytes: &'static [u8], authors: &'static [&'static str]) -> bool {
    bench
        .write(move |unit| {
            let access = writer(unit, pid)?;
            resource_put(unit, &access, &[binary(rid, authors), binary(rid + 1, authors)])?;
            document_register(unit, &access, "1.2.3^4", Rid(rid + 1), Rid(rid))?;
            document_put(unit, &access, Rid(rid), &Original::pack(bytes)?, "application/xml")
        })
        .unwrap()
}

fn get(bench: &Bench, who: &'static str, pid: Pid, rid: i64) -> Option<(Vec<u8>, String)> {
    bench.read(move |unit| document_get(unit, &reader(unit, &professional(who), pid, "Binary")?, Rid(rid))).unwrap()
}

#[test]
fn an_original_comes_back_byte_for_byte_with_its_hashes_and_is_kept_once_in_a_record() {
    on_both(|bench| {
        let (pid, other) = (bench.record(&ins(1), &["martin"]), bench.record(&ins(2), &["martin"]));
        // FIPS 180-4: SHA-1 and SHA-256 of "abc".
        let sha1 = [
            0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e, 0x25, 0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0, 0xd8,
            0x9d,
        ];
        let original = Original::pack(b"abc").unwrap();
        assert_eq!((original.sha1(), &original.sha256()[..4]), (&sha1, &[0xba, 0x78, 0x16, 0xbf][..]));
        assert!(!deposit(bench, pid, 10, b"abc", &[]), "{}", bench.name);
        assert!(deposit(bench, pid, 20, b"abc", &[]), "kept once in a record");
        assert!(!deposit(bench, other, 30, b"abc", &[]), "but never shared between records");
        assert_eq!(bench.store.counts().unwrap()["original"], 2);
        assert_eq!(get(bench, "martin", pid, 20), Some((b"abc".to_vec(), "application/xml".to_owned())), "{}", bench.name);
        deposit(bench, pid, 40, b"", &[]);
        assert_eq!(get(bench, "martin", pid, 40).unwrap().0, b"", "an empty one too");
    });
}

#[test]
fn an_original_is_read_only_where_its_binary_is_seen() {
    on_both(|bench| {
        let (pid, other) = (bench.record(&ins(1), &["martin"]), bench.record(&ins(2), &["martin"]));
        deposit(bench, pid, 10, b"abc", &[]);
        deposit(bench, pid, 20, b"def", &["stranger"]);
        assert!(get(bench, "martin", pid, 10).is_some());
        assert_eq!(get(bench, "stranger", pid, 10), None, "{}: what one did not deposit", bench.name);
        assert!(get(bench, "stranger", pid, 20).is_some());
        assert_eq!(get(bench, "martin", other, 10), None, "{}: through another record", bench.name);
    });
}

#[test]
fn a_unique_id_finds_the_documents_of_its_record_for_the_rules_of_a_deposit() {
    on_both(|bench| {
        let (pid, other) = (bench.record(&ins(1), &["martin"]), bench.record(&ins(2), &["martin"]));
        deposit(bench, pid, 10, b"abc", &["durand"]);
        let find = |who: &'static str, pid: Pid, unique_id: &'static str| -> Vec<(DocumentTwin, bool)> {
            bench
                .write(move |unit| {
                    let access = depositor(unit, &professional(who), pid)?;
                    let twins = document_find(unit, &unit.open_rules(&access)?, unique_id)?;
                    let sees = |twin: &DocumentTwin| Ok(resource_read(unit, &access, kind("Binary"), twin.reference)?.is_some());
                    twins.into_iter().map(|twin| sees(&twin).map(|sees| (twin, sees))).collect()
                })
                .unwrap()
        };
        let twins = find("durand", pid, "1.2.3^4");
        assert_eq!(twins.len(), 1, "{}", bench.name);
        let (twin, sees) = &twins[0];
        assert_eq!((twin.reference, twin.content, twin.labels, *sees), (Rid(11), Rid(10), 0, true));
        assert_eq!(twin.sha256[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert!(!find("stranger", pid, "1.2.3^4")[0].1, "{}: hidden from another depositor", bench.name);
        assert_eq!(find("durand", other, "1.2.3^4"), [], "{}: unique in its record only", bench.name);
        assert_eq!(find("durand", pid, "1.2.3"), []);
        bench.put(pid, vec![NewResource { labels: label::MASQUE_PS, ..binary(11, &["durand"]) }]);
        let (twin, sees) = &find("martin", pid, "1.2.3^4")[0];
        assert_eq!((twin.labels, *sees), (label::MASQUE_PS, false), "{}: masked", bench.name);
    });
}

#[test]
fn who_may_only_read_has_no_whole_record_and_finds_no_twin() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        deposit(bench, pid, 10, b"abc", &["durand"]);
        let by_reader = bench.write(move |unit| {
            let access = reader(unit, &professional("martin"), pid, "Binary")?;
            Ok(document_find(unit, &unit.open_rules(&access)?, "1.2.3^4")?.len())
        });
        assert_eq!(by_reader.unwrap_err().kind(), IssueKind::Internal, "{}", bench.name);
        let on_snapshot = bench.read(move |unit| unit.open_rules(&depositor(unit, &professional("durand"), pid)?).map(|_| ()));
        assert_eq!(on_snapshot.unwrap_err().kind(), IssueKind::Internal, "{}", bench.name);
    });
}
