//! What a spec hides or deletes by hand, for what no interaction may do to it.
use super::World;
use crate::store::{kind, wait, writer};
use dmp_fhir::audit::{Body, Outcome};
use dmp_fhir::fhir::{Problem, Resource};
use dmp_fhir::search::{ExtractContext, extract};
use dmp_fhir::store::{NewResource, Unit, record_resource, resource_delete, resource_put};
use std::sync::Arc;

/// Gives a resource these labels, in a new version; who wrote it is forgotten but for `authors`.
pub(crate) fn label(world: &World, resource_type: &'static str, id: &str, labels: i32, authors: &[&str]) {
    write(world, resource_type, id, labels, authors, |_as_it_is| {});
}

/// Changes the body of a resource, without labels and author.
pub(crate) fn change(world: &World, resource_type: &'static str, id: &str, change: fn(&mut Resource)) {
    write(world, resource_type, id, 0, &[], change);
}

fn write(world: &World, resource_type: &'static str, id: &str, labels: i32, authors: &[&str], change: fn(&mut Resource)) {
    let server = Arc::clone(world.server());
    let (pid, rid) = server.store.id_cipher().open(id).unwrap();
    let authors: Vec<String> = authors.iter().map(|who| (*who).to_owned()).collect();
    run(world, move |unit| {
        let access = writer(unit, pid)?;
        let stored = record_resource(unit, &unit.open_rules(&access)?, kind(resource_type), rid)?.unwrap();
        let mut body: Resource = serde_json::from_slice(&stored.body).unwrap();
        change(&mut body);
        let local = |reference: &str| server.place(reference);
        let context = ExtractContext { keyer: &server.keyer, local: &local, pid, time_zone: &server.time_zone };
        let rows = extract(stored.resource_type, &body, &context);
        let labelled = NewResource {
            rid,
            resource_type: stored.resource_type,
            version: stored.version + 1,
            body: serde_json::Value::Object(body).to_string().into_bytes(),
            rows,
            labels,
            class: None,
            origin: None,
            authors: authors.clone(),
        };
        resource_put(unit, &access, &[labelled])
    });
}

/// Deletes a resource.
pub(crate) fn delete(world: &World, resource_type: &'static str, id: &str) {
    let (pid, rid) = world.server().store.id_cipher().open(id).unwrap();
    run(world, move |unit| resource_delete(unit, &writer(unit, pid)?, kind(resource_type), rid).map(|_| ()));
}

fn run(world: &World, mut job: impl FnMut(&Unit) -> Result<(), Problem> + Send + 'static) {
    let recorded = wait(world.server().store.write(move |unit| match job(unit) {
        Ok(()) => Outcome::new(200, Body::Empty, Vec::new()),
        Err(problem) => Outcome::problem(&problem, Vec::new()),
    }));
    assert_eq!(recorded.status(), 200);
}
