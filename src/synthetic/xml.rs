//! Writes XML: elements nest as closures do, so that what is opened is closed; values are escaped.

/// A document under construction.
#[derive(Debug, Default)]
pub(super) struct Xml {
    out: String,
}

/// Attributes of an element, in order.
pub(super) type Attributes<'a> = &'a [(&'a str, &'a str)];

impl Xml {
    pub(super) fn new() -> Self {
        Self { out: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n") }
    }

    /// An element with children.
    pub(super) fn element(&mut self, name: &str, attributes: Attributes<'_>, children: impl FnOnce(&mut Self)) {
        self.open(name, attributes);
        self.out.push('>');
        children(self);
        self.close(name);
    }

    /// An element without content.
    pub(super) fn empty(&mut self, name: &str, attributes: Attributes<'_>) {
        self.open(name, attributes);
        self.out.push_str("/>");
    }

    /// An element that holds text only.
    pub(super) fn text(&mut self, name: &str, attributes: Attributes<'_>, text: &str) {
        self.element(name, attributes, |xml| xml.escape(text));
    }

    /// Text between elements.
    pub(super) fn characters(&mut self, text: &str) {
        self.escape(text);
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out.into_bytes()
    }

    fn open(&mut self, name: &str, attributes: Attributes<'_>) {
        self.out.push('<');
        self.out.push_str(name);
        for (key, value) in attributes {
            self.out.push(' ');
            self.out.push_str(key);
            self.out.push_str("=\"");
            self.escape(value);
            self.out.push('"');
        }
    }

    fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    fn escape(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                other => self.out.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        let mut xml = Xml::new();
        xml.text("a", &[("b", "\"<")], "5 < 6 & 7");
        let text = String::from_utf8(xml.into_bytes()).unwrap();
        assert!(text.ends_with("<a b=\"&quot;&lt;\">5 &lt; 6 &amp; 7</a>"));
    }
}
