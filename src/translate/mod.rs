//! stub
use crate::cda;
use crate::fhir::Resource;
use serde_json::{Value, json};
use std::collections::HashMap;
pub const SUBJECT: &str = "urn:dmp-fhir:subject";
pub const DOCUMENT: &str = "urn:dmp-fhir:document";
pub const ORIGINAL: &str = "urn:dmp-fhir:original";
#[derive(Clone)]
pub struct Entry { pub full_url: String, pub entry_path: String, pub resource: Resource }
#[derive(Clone, Default)]
pub struct Translation { pub entries: Vec<Entry>, pub issues: Vec<String> }
pub struct DepositedFile { pub content_type: String, pub size: u64, pub sha1: String }
pub fn translate(_d: &cda::Document) -> Translation { Translation::default() }
pub fn document_reference(_d: &cda::Document, _f: &DepositedFile) -> (Resource, Vec<String>) { (Resource::new(), Vec::new()) }
pub fn account_parameters(_t: &Translation, _n: &HashMap<String, String>) -> Resource { Resource::new() }
impl Translation { pub fn bundle(&self) -> Value { json!({}) } }
