//! What a narrative may hold: well-formed XHTML of text, lists, tables, links and images, nothing active (txt-1, txt-2).
//! <https://hl7.org/fhir/R4/narrative.html#rules>
use super::{ATTRIBUTES_MAX, DEPTH_MAX, XHTML_NAMESPACE};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

const TAGS: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "address",
    "area",
    "b",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "kbd",
    "li",
    "map",
    "ol",
    "p",
    "pre",
    "q",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "ul",
    "var",
];

const ATTRIBUTES: &[&str] = &[
    "abbr",
    "accesskey",
    "align",
    "alt",
    "axis",
    "bgcolor",
    "border",
    "cellhalign",
    "cellpadding",
    "cellspacing",
    "cellvalign",
    "char",
    "charoff",
    "charset",
    "cite",
    "class",
    "clear",
    "color",
    "cols",
    "colspan",
    "compact",
    "coords",
    "dir",
    "frame",
    "headers",
    "height",
    "href",
    "hreflang",
    "hspace",
    "id",
    "ismap",
    "lang",
    "longdesc",
    "name",
    "noshade",
    "nowrap",
    "rel",
    "rev",
    "rowspan",
    "rules",
    "scope",
    "shape",
    "size",
    "span",
    "src",
    "start",
    "style",
    "summary",
    "tabindex",
    "title",
    "type",
    "usemap",
    "valign",
    "value",
    "vspace",
    "width",
    "xml:lang",
    "xml:space",
];

/// Schemes of links and images; anything else could be active.
const SCHEMES: &[&str] = &["http", "https", "mailto", "tel", "urn", "cid", "ftp"];

/// Judges the text of a narrative.
///
/// # Errors
/// What is wrong, as a sentence without the narrative's own words.
pub fn check(text: &str) -> Result<(), &'static str> {
    const BROKEN: &str = "The narrative is not well-formed XML";
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut walk = Walk::default();
    loop {
        match reader.read_event().map_err(|_error| BROKEN)? {
            Event::Start(tag) => walk.open(&tag, false)?,
            Event::Empty(tag) => walk.open(&tag, true)?,
            Event::End(_) => walk.depth -= 1,
            Event::Text(text) => walk.text(text.trim())?,
            Event::CData(_) if walk.depth > 0 => walk.has_content = true,
            Event::GeneralRef(reference) => {
                let known = matches!(&*reference, "lt" | "gt" | "amp" | "quot" | "apos");
                if !known && !matches!(reference.resolve_char_ref(), Ok(Some(_))) {
                    return Err("The narrative names an entity that XML does not have");
                }
                walk.text(&reference)?;
            }
            Event::Comment(_) => {}
            Event::Eof if walk.depth == 0 && walk.roots == 1 => break,
            Event::Eof | Event::CData(_) => return Err(BROKEN),
            Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {
                return Err("The narrative has a declaration or processing instruction");
            }
        }
    }
    if walk.has_content { Ok(()) } else { Err("txt-2: the narrative has neither text nor an image") }
}

#[derive(Default)]
struct Walk {
    depth: usize,
    roots: usize,
    has_content: bool,
}

impl Walk {
    fn open(&mut self, tag: &BytesStart<'_>, empty: bool) -> Result<(), &'static str> {
        let name = tag.name();
        let name = name.as_ref();
        let is_root = self.depth == 0;
        if is_root {
            self.roots += 1;
            if self.roots > 1 || name != "div" {
                return Err("The narrative is not one div");
            }
        }
        if !TAGS.contains(&name) {
            return Err("txt-1: the narrative has an element that is not permitted");
        }
        if self.depth >= DEPTH_MAX {
            return Err("The narrative is nested too deep");
        }
        self.has_content |= name == "img";
        self.depth += usize::from(!empty);
        let in_namespace = attributes(tag)?;
        if is_root && !in_namespace { Err("The div is not in the namespace of XHTML") } else { Ok(()) }
    }

    fn text(&mut self, text: &str) -> Result<(), &'static str> {
        if text.is_empty() {
            return Ok(());
        }
        self.has_content = true;
        if self.depth == 0 { Err("The narrative has text outside its div") } else { Ok(()) }
    }
}

/// Judges the attributes; whether one of them declares the namespace of XHTML.
fn attributes(tag: &BytesStart<'_>) -> Result<bool, &'static str> {
    let mut in_namespace = false;
    for (index, attribute) in tag.attributes().enumerate() {
        if index >= ATTRIBUTES_MAX {
            return Err("The narrative has an element with too many attributes");
        }
        let attribute = attribute.map_err(|_error| "The narrative is not well-formed XML")?;
        let value = attribute
            .normalized_value(XmlVersion::Explicit1_0)
            .map_err(|_error| "The narrative names an entity that XML does not have")?;
        if attribute.value.contains('<') {
            return Err("The narrative is not well-formed XML");
        }
        match attribute.key.as_ref() {
            "xmlns" if value == XHTML_NAMESPACE => in_namespace = true,
            "href" | "src" | "cite" | "longdesc" | "usemap" if !is_passive(&value) => {
                return Err("txt-1: the narrative has a link that is not permitted");
            }
            // A prefix that some writers declare; nothing may use it.
            name if ATTRIBUTES.contains(&name) || name.starts_with("xmlns:") => {}
            _ => return Err("txt-1: the narrative has an attribute that is not permitted"),
        }
    }
    Ok(in_namespace)
}

/// Relative, or of a scheme that fetches or names; `data:` for images only.
fn is_passive(link: &str) -> bool {
    let link: String = link.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    match link.split_once(':') {
        Some((scheme, _)) if scheme.contains(['/', '?', '#']) => true,
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("data") => {
            rest.starts_with("image/") && !rest.starts_with("image/svg")
        }
        Some((scheme, _)) => SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)),
        None => true,
    }
}

/// The same div without prefixes, its namespace declared on itself: what JSON holds of `<h:div>` of a document that declares
/// `h` somewhere above. `None` for text that is not well-formed or has too many attributes.
pub(super) fn without_prefixes(text: &str) -> Option<String> {
    let mut reader = Reader::from_str(text);
    let mut out = String::with_capacity(text.len() + 64);
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => write_tag(&mut out, &tag, false)?,
            Event::Empty(tag) => write_tag(&mut out, &tag, true)?,
            Event::End(tag) => out.extend(["</", tag.local_name().as_ref(), ">"]),
            Event::Text(text) => out.push_str(&text),
            Event::CData(text) => out.extend(["<![CDATA[", &text, "]]>"]),
            Event::GeneralRef(reference) => out.extend(["&", &reference, ";"]),
            Event::Comment(comment) => out.extend(["<!--", &comment, "-->"]),
            Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            Event::Eof => return Some(out),
        }
    }
}

/// The same narrative with other targets of `a/@href` and `img/@src`; `None` where `replace` changes none. Every other byte
/// stays as it is.
pub fn with_links(text: &str, replace: &mut dyn FnMut(&str) -> Option<String>) -> Option<String> {
    let mut reader = Reader::from_str(text);
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    loop {
        let start = usize::try_from(reader.buffer_position()).ok()?;
        let tag = match reader.read_event().ok()? {
            Event::Start(tag) => link_tag(&tag, false, replace),
            Event::Empty(tag) => link_tag(&tag, true, replace),
            Event::Eof => break,
            _ => None,
        };
        if let Some(tag) = tag {
            out.extend([text.get(copied..start)?, &tag]);
            copied = usize::try_from(reader.buffer_position()).ok()?;
        }
    }
    (copied > 0).then(|| text.get(copied..).map(|rest| out + rest)).flatten()
}

/// The tag with the new target of its link.
fn link_tag(tag: &BytesStart<'_>, empty: bool, replace: &mut dyn FnMut(&str) -> Option<String>) -> Option<String> {
    let link = match tag.local_name().as_ref() {
        "a" => "href",
        "img" => "src",
        _ => return None,
    };
    let mut attributes = tag.attributes().take(ATTRIBUTES_MAX).filter_map(Result::ok);
    let target = attributes.find(|attribute| attribute.key.as_ref() == link)?;
    let new = replace(&target.normalized_value(XmlVersion::Explicit1_0).ok()?)?;
    let new = quick_xml::escape::escape(new.as_str());
    let mut out = format!("<{}", tag.name().as_ref());
    for attribute in tag.attributes() {
        let attribute = attribute.ok()?;
        let value = if attribute.key.as_ref() == link { &new } else { &attribute.value };
        write_attribute(&mut out, attribute.key.as_ref(), value);
    }
    out.push_str(if empty { "/>" } else { ">" });
    Some(out)
}

/// Writes an attribute; its value is escaped already.
fn write_attribute(out: &mut String, name: &str, value: &str) {
    let quote = if value.contains('"') { "'" } else { "\"" };
    out.extend([" ", name, "=", quote, value, quote]);
}

fn write_tag(out: &mut String, tag: &BytesStart<'_>, empty: bool) -> Option<()> {
    let is_root = out.is_empty();
    out.extend(["<", tag.local_name().as_ref()]);
    if is_root {
        out.extend([" xmlns=\"", XHTML_NAMESPACE, "\""]);
    }
    for (index, attribute) in tag.attributes().enumerate() {
        let attribute = attribute.ok().filter(|_| index < ATTRIBUTES_MAX)?;
        if attribute.key.as_namespace_binding().is_none() {
            write_attribute(out, attribute.key.as_ref(), &attribute.value);
        }
    }
    out.push_str(if empty { "/>" } else { ">" });
    Some(())
}

#[cfg(test)]
mod tests {
    use super::check;

    const NS: &str = "xmlns=\"http://www.w3.org/1999/xhtml\"";

    #[test]
    fn text_tables_links_and_images_are_permitted() {
        for inner in [
            "p",
            "<b>a</b> <i>b</i>",
            "<table border=\"1\"><tr><td style=\"x\">1</td></tr></table>",
            "<a href=\"#x\">x</a>",
            "<a href=\"Patient/1\">x</a>",
            "<img src=\"data:image/png;base64,AA==\" alt=\"x\"/>",
            "&lt;script&gt; &#160;",
            "<p xml:lang=\"fr\" xmlns=\"http://www.w3.org/1999/xhtml\">é</p>",
            "<!-- c -->x<br/>",
            "<p xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">x</p>",
        ] {
            assert_eq!(check(&format!("<div {NS}>{inner}</div>")), Ok(()), "{inner}");
        }
    }

    #[test]
    fn active_content_is_refused() {
        for inner in [
            "<script>x</script>",
            "<p onclick=\"x\">x</p>",
            "<a href=\"javascript:x\">x</a>",
            "<a href=\"java&#10;script:x\">x</a>",
            "<a href=\" JavaScript:x\">x</a>",
            "<img src=\"data:image/svg+xml,x\"/>",
            "<iframe src=\"x\">x</iframe>",
            "<form>x</form>",
            "<p xmlns=\"http://www.w3.org/2000/svg\">x</p>",
            "<x:p xmlns:x=\"u\">x</x:p>",
        ] {
            assert!(check(&format!("<div {NS}>{inner}</div>")).is_err_and(|fault| fault.starts_with("txt-1")), "{inner}");
        }
    }

    #[test]
    fn what_is_not_one_well_formed_div_of_xhtml_is_refused() {
        let div = format!("<div {NS}>x</div>");
        for text in [
            "x",
            "<div>x</div>",
            "<p>x</p>",
            &format!("{div}{div}"),
            &format!("{div}x"),
            &format!("<div {NS}><b>x</div>"),
            &format!("<div {NS}>x"),
            &format!("<div {NS}>&nbsp;</div>"),
            &format!("<div {NS}>a & b</div>"),
            &format!("<!DOCTYPE div>{div}"),
            &format!("<div {NS} class=\"a\" class=\"b\">x</div>"),
            &format!("<div {NS}> <p/> </div>"),
            &format!("<div {NS}>{}x{}</div>", "<b>".repeat(70), "</b>".repeat(70)),
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
