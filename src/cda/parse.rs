//! Bytes to [`Document`].
use super::tree::{Builder, Document};
use super::{Limits, ParseError, encoding, scan};

/// Reads a CDA document, also one that is wrapped in a stylesheet ("auto-présentable", BR-46), which is never run.
///
/// # Errors
/// What [`ParseError`] lists: bytes that are no XML, no CDA, or beyond [`Limits`].
pub fn parse(bytes: &[u8]) -> Result<Document, ParseError> {
    let limits = Limits::default();
    if bytes.len() > limits.bytes {
        return Err(ParseError::TooLong { limit: limits.bytes });
    }
    let text = encoding::decode(bytes)?;
    scan::scan(&text, &limits)?;
    let options = roxmltree::ParsingOptions { nodes_limit: node_limit(&limits), ..Default::default() };
    let tree = roxmltree::Document::parse_with_options(&text, options).map_err(|error| {
        let position = error.pos();
        ParseError::NotWellFormed { line: position.row, column: position.col }
    })?;
    let top = tree.root_element();
    let root =
        tree.descendants().find(|node| node.has_tag_name(("urn:hl7-org:v3", "ClinicalDocument"))).ok_or(ParseError::NotCda)?;
    let document = Builder::build(root, root != top);
    if document.root().child("id").is_none_or(|id| id.attribute("root").unwrap_or("").trim().is_empty()) {
        return Err(ParseError::NoId);
    }
    Ok(document)
}

fn node_limit(limits: &Limits) -> u32 {
    u32::try_from(limits.nodes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cda(body: &str) -> String {
        format!(r#"<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3"/>{body}</ClinicalDocument>"#)
    }

    fn error(text: &str) -> ParseError {
        parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_document_type_is_refused_also_an_empty_one() {
        let text = format!("<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>{}", cda("<title>&a;</title>"));
        assert!(matches!(error(&text), ParseError::Doctype { .. }));
        assert!(matches!(error(&format!("<!DOCTYPE x>{}", cda(""))), ParseError::Doctype { .. }));
    }

    #[test]
    fn only_the_five_entities_and_characters_are_read() {
        assert!(matches!(error(&cda("<title>&nbsp;</title>")), ParseError::Entity { .. }));
        assert!(matches!(error(&cda(r#"<code displayName="&nbsp;"/>"#)), ParseError::NotWellFormed { .. }));
        let document = parse(cda("<title>a &lt; b &amp; c &#233;</title>").as_bytes()).unwrap();
        assert_eq!(document.header().title.as_deref(), Some("a < b & c é"));
    }

    #[test]
    fn depth_attributes_nodes_and_length_are_bounded() {
        let deep = format!("{}{}", "<a>".repeat(70), "</a>".repeat(70));
        assert!(matches!(error(&cda(&deep)), ParseError::Limit { what: "nested elements", .. }));
        let wide: String = (0..100_000).map(|n| format!(" a{n}=\"\"")).collect();
        assert!(matches!(error(&cda(&format!("<a{wide}/>"))), ParseError::Limit { what: "attributes of one element", .. }));
        let many = "<a/>".repeat(1_000_001);
        assert!(matches!(error(&cda(&many)), ParseError::Limit { what: "nodes", .. }));
        assert!(matches!(parse(&vec![b' '; 65 << 20]), Err(ParseError::TooLong { .. })));
    }

    #[test]
    fn an_attribute_whose_value_has_many_equal_signs_is_one_attribute() {
        let value = "=".repeat(1_000);
        assert!(parse(cda(&format!("<telecom value=\"{value}\"/>")).as_bytes()).is_ok());
    }

    #[test]
    fn what_is_no_cda_says_so_without_what_it_holds() {
        assert!(matches!(error("Dupont"), ParseError::NotWellFormed { .. } | ParseError::NotCda));
        assert!(matches!(error(&cda("<nom>Dupont</prenom>")), ParseError::NotWellFormed { .. }));
        assert_eq!(error("<Bundle xmlns='http://hl7.org/fhir'/>"), ParseError::NotCda);
        assert_eq!(error("<ClinicalDocument xmlns='urn:hl7-org:v3'/>"), ParseError::NoId);
        assert_eq!(error("<ClinicalDocument/>"), ParseError::NotCda);
        assert!(!error(&cda("<nom>Dupont</prenom>")).to_string().contains("Dupont"));
    }

    #[test]
    fn a_document_inside_a_stylesheet_is_found_and_has_its_own_paths() {
        let text = r#"<s:stylesheet xmlns:s="http://www.w3.org/1999/XSL/Transform" xmlns:c="urn:hl7-org:v3" version="1.0">
            <s:template match="/"><c:ClinicalDocument><c:id root="1.2.3"/><c:component><c:structuredBody/></c:component>
            </c:ClinicalDocument></s:template></s:stylesheet>"#;
        let document = parse(text.as_bytes()).unwrap();
        assert!(document.is_self_presenting() && document.header().is_self_presenting);
        let body = document.root().at("component/structuredBody").unwrap();
        assert_eq!(body.path(), "/ClinicalDocument/component[1]/structuredBody[1]");
    }

    #[test]
    fn a_path_counts_siblings_of_the_same_name_and_namespace() {
        let text = r#"<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:lab="urn:oid:1.3.6.1.4.1.19376.1.3.2"><id root="1.2.3"/>
            <documentationOf/><documentationOf><serviceEvent><code/><lab:statusCode code="active"/></serviceEvent></documentationOf>
            </ClinicalDocument>"#;
        let document = parse(text.as_bytes()).unwrap();
        let status = document.root().subtree().find(|element| element.name() == "statusCode").unwrap();
        assert_eq!(status.path(), "/ClinicalDocument/documentationOf[2]/serviceEvent[1]/lab:statusCode[1]");
    }

    #[test]
    fn text_folds_white_space_and_keeps_words_of_cells_apart() {
        let narrative = "<component><structuredBody><component><section><text><table><tr><td>a</td><td>b\n  c</td></tr></table>\
            <content>d</content>e</text></section></component></structuredBody></component>";
        let document = parse(cda(narrative).as_bytes()).unwrap();
        let text = document.root().subtree().find(|element| element.is("text")).unwrap();
        assert_eq!(text.text(), "a b c de");
    }
}
