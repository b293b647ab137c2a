//! Bytes to text: UTF-8, ISO-8859-1 and UTF-16 by byte order mark or declaration.
use super::ParseError;
use std::borrow::Cow;

/// Text of the document without its byte order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, ParseError> {
    if let Some(rest) = bytes.strip_prefix(&[0xEF, 0xBB, 0xBF]) {
        return utf8(rest).map(Cow::Borrowed);
    }
    if let Some(rest) = bytes.strip_prefix(&[0xFF, 0xFE]) {
        return utf16(rest, u16::from_le_bytes).map(Cow::Owned);
    }
    if let Some(rest) = bytes.strip_prefix(&[0xFE, 0xFF]) {
        return utf16(rest, u16::from_be_bytes).map(Cow::Owned);
    }
    if bytes.starts_with(&[b'<', 0]) {
        return utf16(bytes, u16::from_le_bytes).map(Cow::Owned);
    }
    if bytes.starts_with(&[0, b'<']) {
        return utf16(bytes, u16::from_be_bytes).map(Cow::Owned);
    }
    match declared(bytes).to_ascii_lowercase().as_str() {
        "" | "utf-8" | "utf8" | "us-ascii" | "ascii" => utf8(bytes).map(Cow::Borrowed),
        "iso-8859-1" | "iso8859-1" | "latin1" | "latin-1" => Ok(Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect())),
        _ => Err(ParseError::Encoding),
    }
}

/// The value of `encoding` in the XML declaration, or nothing.
fn declared(bytes: &[u8]) -> &str {
    let head = bytes.get(..bytes.len().min(200)).unwrap_or(bytes);
    let end = head.iter().position(|byte| *byte == b'>').unwrap_or(0);
    let declaration = head.get(..end).filter(|head| head.starts_with(b"<?xml")).unwrap_or(&[]);
    let text = std::str::from_utf8(declaration).unwrap_or("");
    let Some((_, value)) = text.split_once("encoding") else { return "" };
    let value = value.trim_start().strip_prefix('=').map_or("", str::trim_start);
    let quote = if value.starts_with('\'') { '\'' } else { '"' };
    value.strip_prefix(quote).and_then(|value| value.split_once(quote)).map_or("", |(value, _)| value)
}

fn utf8(bytes: &[u8]) -> Result<&str, ParseError> {
    std::str::from_utf8(bytes).ok().ok_or(ParseError::Encoding)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, ParseError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(ParseError::Encoding);
    }
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect::<Result<_, _>>().ok().ok_or(ParseError::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoding_gives_the_same_text() {
        let text = "<?xml version='1.0' encoding='ISO-8859-1'?><a>é</a>";
        let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        assert_eq!(decode(&latin).unwrap(), text);
        let utf16: Vec<u8> = "<a>é</a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(&utf16).unwrap(), "<a>é</a>");
        assert_eq!(decode(b"\xEF\xBB\xBF<a/>").unwrap(), "<a/>");
        assert_eq!(decode(b"<?xml version=\"1.0\" encoding=\"EBCDIC\"?><a/>"), Err(ParseError::Encoding));
        assert_eq!(decode(b"<a>\xE9</a>"), Err(ParseError::Encoding));
    }
}
