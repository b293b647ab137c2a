//! What the entries of a Bundle are called outside, and what each is called here.
//!
//! A transaction replaces the one by the other in every Reference, in elements of type uri, url, oid and uuid, and in links
//! and images of the narrative; canonicals stay. <https://hl7.org/fhir/R4/http.html#trules>
use super::Resource;
use super::reference::{Link, links_mut, local};
use super::xml::xhtml;
use std::collections::HashMap;

/// Where an entry of a Bundle is in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `Type/id`.
    pub reference: String,
    /// The version that it has then: what a version-specific reference to it names.
    pub version: i64,
}

/// The names of the entries of one Bundle.
#[derive(Debug, Clone, Default)]
pub struct Names {
    base: String,
    places: HashMap<String, Place>,
}

impl Names {
    /// No names yet. `base` is the address that this server has outside, without a slash at the end.
    #[must_use]
    pub fn new(base: &str) -> Self {
        Self { base: base.to_owned(), places: HashMap::new() }
    }

    /// Says where the entry of this name is, as `Type/id`, and which version; whether the name was free.
    pub fn insert(&mut self, name: &str, reference: String, version: i64) -> bool {
        self.places.insert(self.relative(name).to_owned(), Place { reference, version }).is_none()
    }

    /// Where the entry of exactly this name is.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Place> {
        self.places.get(self.relative(name))
    }

    /// Replaces every name that stands in the resource. `full_url` is the resource's own: relative references are relative
    /// to it where it is an address. <https://hl7.org/fhir/R4/bundle.html#references>
    pub fn replace(&self, resource: &mut Resource, full_url: Option<&str>) {
        if self.places.is_empty() {
            return;
        }
        let within = full_url.and_then(base_of);
        links_mut(resource, &mut |link, text| match link {
            Link::Reference | Link::Uri => {
                if let Some(new) = self.replaced(text, within) {
                    *text = new;
                }
            }
            Link::Narrative => {
                if let Some(new) = xhtml::with_links(text, &mut |link| self.replaced(link, within)) {
                    *text = new;
                }
            }
            Link::Canonical => {}
        });
    }

    /// The new text of a link; `None` where it stays. Its fragment stays with it, and a version stays a version: that which
    /// the resource now has.
    fn replaced(&self, text: &str, within: Option<&str>) -> Option<String> {
        let (address, fragment) = text.split_once('#').map_or((text, None), |(address, fragment)| (address, Some(fragment)));
        let (name, version) = address.split_once("/_history/").map_or((address, None), |(name, version)| (name, Some(version)));
        let place = self.find(name, within)?;
        if place.reference == self.relative(name) {
            // Its name outside is its name here: what a version of it was before this Bundle stays meant.
            return None;
        }
        let mut out = place.reference.clone();
        if version.is_some() {
            out.push_str(&format!("/_history/{}", place.version));
        }
        if let Some(fragment) = fragment {
            out.extend(["#", fragment]);
        }
        Some(out)
    }

    fn find(&self, name: &str, within: Option<&str>) -> Option<&Place> {
        let beside = || {
            let resolved = within.filter(|_| local(name).is_some()).map(|within| format!("{within}/{name}"))?;
            self.get(&resolved)
        };
        beside().or_else(|| self.get(name))
    }

    /// The name without the address of this server.
    fn relative<'a>(&self, name: &'a str) -> &'a str {
        let own = name.strip_prefix(self.base.as_str()).and_then(|rest| rest.strip_prefix('/'));
        own.filter(|_| !self.base.is_empty()).unwrap_or(name)
    }
}

/// The address below which a fullUrl of the form `[base]/[type]/[id]` lies.
fn base_of(full_url: &str) -> Option<&str> {
    let (rest, _id) = full_url.rsplit_once('/')?;
    let (base, _) = rest.rsplit_once('/')?;
    let is_address = base.starts_with("http://") || base.starts_with("https://");
    let tail = full_url.get(base.len() + 1..)?;
    (is_address && local(tail).is_some()).then_some(base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const BASE: &str = "https://dmp.example/fhir";

    fn names(of: &[(&str, &str)]) -> Names {
        let mut names = Names::new(BASE);
        for (name, reference) in of {
            assert!(names.insert(name, (*reference).into(), 4));
        }
        names
    }

    fn replaced(names: &Names, resource: Value, full_url: Option<&str>) -> Value {
        let Value::Object(mut resource) = resource else { panic!("an object") };
        names.replace(&mut resource, full_url);
        Value::Object(resource)
    }

    fn subject(names: &Names, reference: &str, full_url: Option<&str>) -> String {
        let observation = json!({"resourceType": "Observation", "subject": {"reference": reference}});
        replaced(names, observation, full_url)["subject"]["reference"].as_str().unwrap().to_owned()
    }

    #[test]
    fn names_of_every_kind_are_replaced_in_references() {
        let names = names(&[
            ("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "Patient/1"),
            ("urn:oid:1.2.3", "Patient/2"),
            ("http://other.example/fhir/Patient/a", "Patient/3"),
            ("https://dmp.example/fhir/Patient/b", "Patient/4"),
        ]);
        for (text, expected) in [
            ("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "Patient/1"),
            ("urn:oid:1.2.3", "Patient/2"),
            ("http://other.example/fhir/Patient/a", "Patient/3"),
            ("https://dmp.example/fhir/Patient/b", "Patient/4"),
            ("Patient/b", "Patient/4"),
        ] {
            assert_eq!(subject(&names, text, None), expected, "{text}");
        }
        for text in ["urn:uuid:0c3151bd", "urn:oid:1.2.3.4", "Patient/a", "http://other.example/fhir/Patient/ab", "#a", "", "#"] {
            assert_eq!(subject(&names, text, None), text);
        }
    }

    #[test]
    fn a_relative_reference_is_relative_to_the_full_url_of_its_resource() {
        let names = names(&[("http://other.example/fhir/Patient/a", "Patient/1"), ("Patient/b", "Patient/2")]);
        assert_eq!(subject(&names, "Patient/a", Some("http://other.example/fhir/Observation/x")), "Patient/1");
        assert_eq!(subject(&names, "Patient/a", Some("http://third.example/fhir/Observation/x")), "Patient/a");
        assert_eq!(subject(&names, "Patient/a", Some("urn:uuid:x")), "Patient/a");
        assert_eq!(subject(&names, "Patient/b", Some("urn:uuid:x")), "Patient/2");
    }

    #[test]
    fn a_version_specific_reference_names_the_version_that_the_resource_now_has() {
        let names = names(&[("urn:uuid:a", "Patient/1"), ("Patient/9", "Patient/9")]);
        assert_eq!(subject(&names, "urn:uuid:a/_history/7", None), "Patient/1/_history/4");
        assert_eq!(subject(&names, "Patient/9/_history/2", None), "Patient/9/_history/2");
        assert_eq!(subject(&names, "https://dmp.example/fhir/Patient/9", None), "https://dmp.example/fhir/Patient/9");
    }

    #[test]
    fn uri_url_oid_and_uuid_are_replaced_and_canonical_string_and_code_are_not() {
        let names = names(&[("urn:uuid:a", "Patient/1"), ("urn:oid:1.2", "Patient/2")]);
        let resource = json!({"resourceType": "Basic", "implicitRules": "urn:uuid:a", "meta": {"profile": ["urn:uuid:a"]},
            "extension": [
                {"url": "http://x", "valueUri": "urn:uuid:a"},
                {"url": "http://x", "valueUrl": "urn:uuid:a#part"},
                {"url": "http://x", "valueOid": "urn:oid:1.2"},
                {"url": "http://x", "valueUuid": "urn:uuid:a"},
                {"url": "http://x", "valueCanonical": "urn:uuid:a"},
                {"url": "http://x", "valueString": "urn:uuid:a"},
                {"url": "http://x", "valueAttachment": {"url": "urn:uuid:a", "title": "urn:uuid:a"}}]});
        let expected = json!({"resourceType": "Basic", "implicitRules": "Patient/1", "meta": {"profile": ["urn:uuid:a"]},
            "extension": [
                {"url": "http://x", "valueUri": "Patient/1"},
                {"url": "http://x", "valueUrl": "Patient/1#part"},
                {"url": "http://x", "valueOid": "Patient/2"},
                {"url": "http://x", "valueUuid": "Patient/1"},
                {"url": "http://x", "valueCanonical": "urn:uuid:a"},
                {"url": "http://x", "valueString": "urn:uuid:a"},
                {"url": "http://x", "valueAttachment": {"url": "Patient/1", "title": "urn:uuid:a"}}]});
        assert_eq!(replaced(&names, resource, None), expected);
    }

    #[test]
    fn links_and_images_of_the_narrative_are_replaced_and_its_words_are_not() {
        let names = names(&[("urn:uuid:a", "Patient/1"), ("http://o/Binary?x&y", "Binary/2")]);
        let div = |link: &str, image: &str| {
            format!(
                "<div  xmlns=\"http://www.w3.org/1999/xhtml\">urn:uuid:a <a title='urn:uuid:a' href='{link}'>urn:uuid:a</a>\n<q cite=\"urn:uuid:a\"/><img\tsrc=\"{image}\" alt='\"'/> &lt;</div>"
            )
        };
        let resource = |div: String| json!({"resourceType": "Basic", "text": {"status": "generated", "div": div}});
        let before = resource(div("urn:uuid:a#x", "http://o/Binary?x&amp;y"));
        // Only the tags that change are written anew.
        let after = "<div  xmlns=\"http://www.w3.org/1999/xhtml\">urn:uuid:a <a title=\"urn:uuid:a\" href=\"Patient/1#x\">urn:uuid:a</a>\n<q cite=\"urn:uuid:a\"/><img src=\"Binary/2\" alt='\"'/> &lt;</div>";
        assert_eq!(replaced(&names, before, None), resource(after.to_owned()));
        let untouched = resource(div("#here", "http://elsewhere/x.png"));
        assert_eq!(replaced(&names, untouched.clone(), None), untouched);
    }

    #[test]
    fn contained_resources_and_extensions_of_primitives_are_reached() {
        let names = names(&[("urn:uuid:a", "Organization/1")]);
        let resource = |text: &str| {
            json!({"resourceType": "Observation", "_status": {"extension": [{"url": "http://x", "valueReference": {"reference": text}}]},
                "contained": [{"resourceType": "Patient", "id": "p", "managingOrganization": {"reference": text}}],
                "subject": {"reference": "#p"}})
        };
        assert_eq!(replaced(&names, resource("urn:uuid:a"), None), resource("Organization/1"));
    }

    #[test]
    fn a_name_is_given_once_however_it_is_written() {
        let mut names = names(&[("Patient/1", "Patient/1")]);
        assert!(!names.insert("https://dmp.example/fhir/Patient/1", "Patient/2".into(), 1));
    }
}
