//! Command line of DMP-FHIR.
fn main() {}
