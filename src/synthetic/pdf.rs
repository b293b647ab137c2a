//! Minimal PDF 1.4 files, and documents of level 1 that wrap them.
use super::date::french;
use super::directory::Professional;
use super::header::{Header, document};
use super::person::Person;
use super::random::oid_of;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::DateTime;

/// What a document of level 1 says.
#[derive(Debug, Clone, PartialEq)]
pub struct PdfDocument {
    /// Unique among all documents.
    pub name: String,
    /// LOINC code of the type of document and its name.
    pub code: (&'static str, &'static str),
    /// Title.
    pub title: String,
    /// When.
    pub time: DateTime,
    /// Author.
    pub author: &'static Professional,
    /// Lines of text on the page.
    pub lines: Vec<String>,
}

/// A CDA R2 document of level 1 (template 1.3.6.1.4.1.19376.1.2.20) around a PDF.
#[must_use]
pub fn pdf_document(person: &Person, page: &PdfDocument) -> Vec<u8> {
    let header = Header {
        templates: &["1.3.6.1.4.1.19376.1.2.20"],
        unique_id: &oid_of(&format!("{}/1", page.name)),
        set_id: &oid_of(&format!("{}/set", page.name)),
        version: 1,
        replaces: None,
        code: page.code,
        title: &page.title,
        time: page.time,
        author: page.author,
        acts: vec![page.code],
        period: (page.time, page.time),
        laboratory: None,
    };
    let mut lines =
        vec![format!("{}, le {}", page.author.structure.city.1, french(page.time)), person.full_name(), String::new()];
    lines.extend(page.lines.iter().cloned());
    lines.extend([String::new(), page.author.full_name()]);
    let content = base64_of(&pdf(&page.title, &lines));
    document(person, &header, |xml| {
        xml.element("nonXMLBody", &[], |xml| {
            xml.text("text", &[("mediaType", "application/pdf"), ("representation", "B64")], &content);
        });
    })
}

pub(super) fn base64_of(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// One A4 page with a title and lines, in Helvetica.
pub(super) fn pdf(title: &str, lines: &[String]) -> Vec<u8> {
    let mut content = Vec::new();
    content.extend_from_slice(b"BT /F1 16 Tf 50 790 Td ");
    show(&mut content, title);
    content.extend_from_slice(b"/F1 10 Tf 0 -28 Td 14 TL ");
    for line in lines.iter().take(50) {
        show(&mut content, line);
        content.extend_from_slice(b"T* ");
    }
    content.extend_from_slice(b"ET");

    let mut stream = format!("<< /Length {} >>\nstream\n", content.len()).into_bytes();
    stream.extend_from_slice(&content);
    stream.extend_from_slice(b"\nendstream");
    let page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>";
    let objects: [&[u8]; 5] = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        page,
        &stream,
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ];
    assemble(&objects)
}

/// File header, numbered objects, cross-reference table and trailer.
fn assemble(objects: &[&[u8]]) -> Vec<u8> {
    let mut file = b"%PDF-1.4\n%\xE2\xE3\xCF\xD3\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (index, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.extend_from_slice(format!("{} 0 obj\n", index + 1).as_bytes());
        file.extend_from_slice(object);
        file.extend_from_slice(b"\nendobj\n");
    }
    let start = file.len();
    file.extend_from_slice(table.as_bytes());
    file.extend_from_slice(
        format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n", objects.len() + 1).as_bytes(),
    );
    file
}

/// A string operand in WinAnsi, and the operator that shows it; characters outside it become `?`.
fn show(content: &mut Vec<u8>, text: &str) {
    content.push(b'(');
    for character in text.chars() {
        match character {
            '(' | ')' | '\\' => {
                content.push(b'\\');
                content.push(u8::try_from(character).unwrap_or(b'?'));
            }
            // Latin-1 and WinAnsi agree outside 0x80 to 0x9F.
            other => content.push(u8::try_from(other).ok().filter(|byte| !(0x80..0xA0).contains(byte)).unwrap_or(b'?')),
        }
    }
    content.extend_from_slice(b") Tj ");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cross_reference_table_leads_to_each_object() {
        let file = pdf("Essai (1)", &["é à ≤".into()]);
        let text: String = file.iter().copied().map(char::from).collect();
        let start: usize = text.rsplit("startxref\n").next().unwrap().lines().next().unwrap().parse().unwrap();
        let table: String = file[start..].iter().copied().map(char::from).collect();
        for (index, row) in table.lines().skip(3).take(5).enumerate() {
            let offset: usize = row.get(..10).unwrap().parse().unwrap();
            assert!(file[offset..].starts_with(format!("{} 0 obj\n", index + 1).as_bytes()));
        }
        assert!(table.starts_with("xref\n0 6\n"));
        assert!(text.starts_with("%PDF-1.4") && text.ends_with("%%EOF\n"));
        assert!(text.contains(r"(Essai \(1\)) Tj") && text.contains("(é à ?) Tj"));
    }
}
