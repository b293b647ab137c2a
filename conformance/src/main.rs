//! Black-box certification client of any FHIR base URL.
fn main() {}
