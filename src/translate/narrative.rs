//! CDA narrative as the safe XHTML of FHIR: a closed list of elements and attributes, nothing else gets through.
//!
//! <https://hl7.org/fhir/R4/narrative.html>
use crate::cda::{Content, Element};
use serde_json::{Value, json};

/// section/text -> Narrative; `None` where it has no text.
///
/// paragraph -> p; list, item -> ul or ol, li; table and its parts, sub, sup, br -> the same; content -> span
/// caption -> caption in a table, p elsewhere; linkHtml -> a (http, https, mailto, #); footnote -> span
/// renderMultiMedia -> span that names its object; ID -> id
pub(super) fn narrative(text: Element<'_>) -> Option<Value> {
    if text.text().is_empty() && !text.subtree().any(|element| element.is("renderMultiMedia")) {
        return None;
    }
    let mut out = String::from("<div xmlns=\"http://www.w3.org/1999/xhtml\">");
    content(text, &mut out);
    out.push_str("</div>");
    Some(json!({"status": "additional", "div": out}))
}

/// The narrative of a section that says nothing at all.
pub(super) fn empty() -> Value {
    json!({"status": "empty", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">-</div>"})
}

fn content(element: Element<'_>, out: &mut String) {
    for piece in element.content() {
        match piece {
            Content::Text(text) => escape(text, out, false),
            Content::Element(child) => one(child, out),
        }
    }
}

fn one(element: Element<'_>, out: &mut String) {
    let parent = element.parent().map_or("", Element::name);
    let tag = match element.name() {
        "paragraph" => "p",
        "content" | "footnote" => "span",
        "list" if element.stated("listType") == Some("ordered") => "ol",
        "list" => "ul",
        "item" => "li",
        "caption" if parent == "table" => "caption",
        "caption" => "p",
        "table" => "table",
        "thead" => "thead",
        "tbody" => "tbody",
        "tfoot" => "tfoot",
        "tr" => "tr",
        "th" => "th",
        "td" => "td",
        "col" => "col",
        "colgroup" => "colgroup",
        "sub" => "sub",
        "sup" => "sup",
        "br" => {
            out.push_str("<br/>");
            return;
        }
        "linkHtml" => "a",
        "renderMultiMedia" => return multimedia(element, out),
        "footnoteRef" => return footnote_reference(element, out),
        // Anything else keeps its text and loses its element.
        _other => return content(element, out),
    };
    // A caption inside a list is no list item in CDA; XHTML has no other place for it.
    let wrapped = element.name() == "caption" && parent == "list";
    if wrapped {
        out.push_str("<li>");
    }
    out.push('<');
    out.push_str(tag);
    attributes(element, tag, out);
    if tag == "col" {
        out.push_str("/>");
        return;
    }
    out.push('>');
    let marks = if tag == "span" { marks(element) } else { Vec::new() };
    for mark in &marks {
        out.push('<');
        out.push_str(mark);
        out.push('>');
    }
    content(element, out);
    for mark in marks.iter().rev() {
        out.push_str("</");
        out.push_str(mark);
        out.push('>');
    }
    out.push_str("</");
    out.push_str(tag);
    out.push('>');
    if wrapped {
        out.push_str("</li>");
    }
}

fn marks(element: Element<'_>) -> Vec<&'static str> {
    let style = element.stated("styleCode").unwrap_or("");
    let mark = |word: &str| match word {
        "Bold" => Some("b"),
        "Italics" => Some("i"),
        _other => None,
    };
    style.split_whitespace().filter_map(mark).collect()
}

fn attributes(element: Element<'_>, tag: &str, out: &mut String) {
    let mut write = |name: &str, value: &str| {
        out.push(' ');
        out.push_str(name);
        out.push_str("=\"");
        escape(value, out, true);
        out.push('"');
    };
    if let Some(id) = element.stated("ID") {
        write("id", id);
    }
    if matches!(tag, "td" | "th") {
        for name in ["colspan", "rowspan"] {
            let number = element.stated(name).filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()));
            if let Some(number) = number {
                write(name, number);
            }
        }
    }
    if tag == "a" {
        // Documents break long addresses over several lines.
        let href: String = element.stated("href").unwrap_or("").split_whitespace().collect();
        if ["http://", "https://", "mailto:", "#"].iter().any(|scheme| href.starts_with(scheme)) {
            write("href", &href);
        }
    }
}

fn multimedia(element: Element<'_>, out: &mut String) {
    out.push_str("<span");
    attributes(element, "span", out);
    out.push('>');
    let caption = element.child("caption").map(Element::text).filter(|text| !text.is_empty());
    let named = caption.or_else(|| element.stated("referencedObject").map(|object| format!("[{object}]")));
    escape(named.as_deref().unwrap_or("[]"), out, false);
    out.push_str("</span>");
}

fn footnote_reference(element: Element<'_>, out: &mut String) {
    out.push_str("<a href=\"#");
    escape(element.stated("IDREF").unwrap_or(""), out, true);
    out.push_str("\">*</a>");
}

fn escape(text: &str, out: &mut String, attribute: bool) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if attribute => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            other => out.push(other),
        }
    }
}
