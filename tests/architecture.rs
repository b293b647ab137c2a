//! The map of the code, checked: which module may use which, who names which library, what is written once.
//!
//! Every message says what to do. A rule that no longer serves is changed here together with the words of `src/lib.rs`
//! that state it, never worked around in the code.
#![expect(clippy::unwrap_used, clippy::string_slice, reason = "a test fails by panicking, and says what it skips")]
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Modules in reading order: each may use those after it. The last row may be used by all, and by one another.
const ORDER: &[&[&str]] = &[
    &["cli"],
    &["http"],
    &["service"],
    &["store"],
    &["audit"],
    &["policy"],
    &["auth"],
    &["translate"],
    &["search"],
    &["cda"],
    &["synthetic"],
    &["pages"],
    &["fhir"],
    &["clock", "ids", "config"],
];

/// Longest file that needs no entry in [`LONG_FILES`].
const LINES_MAX: usize = 600;

/// Files longer than [`LINES_MAX`], with their length. Numbers here only go down, and entries only go away.
const LONG_FILES: &[(&str, usize)] = &[];

struct Source {
    /// Path from the root of the repository, with `/`.
    path: String,
    /// As it stands.
    text: String,
    /// Without comments and without the unit tests at its end: what is compiled into the server.
    code: String,
}

impl Source {
    /// First module of a file of `src/`: `src/store/sql.rs` and `src/store.rs` belong to `store`.
    fn module(&self) -> &str {
        let inner = self.path.strip_prefix("src/").unwrap_or(&self.path);
        inner.split('/').next().unwrap_or(inner).trim_end_matches(".rs")
    }

    /// Lines of the code, numbered as in the file.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder, sorted; build results, version control and what git ignores by name are left out.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            match (path.is_symlink(), path.is_dir()) {
                (true, _) => {}
                (false, true) if ["target", ".git", "node_modules"].contains(&name.as_str()) => {}
                (false, true) => open.push(path),
                (false, false) => found.push(path),
            }
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/")
}

/// Blanks comments, keeping strings and line breaks: enough of a lexer for the rules of this file.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let taken = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            let end = rest.find("*/").map_or(rest.len(), |at| at + 2);
            out.extend(rest[..end].chars().filter(|c| *c == '\n'));
            end
        } else if let Some(end) = raw_string(rest).or_else(|| quoted(rest)) {
            out.push_str(&rest[..end]);
            end
        } else {
            out.push(next);
            next.len_utf8()
        };
        rest = &rest[taken..];
    }
    out
}

/// Length of the raw string that starts here.
fn raw_string(text: &str) -> Option<usize> {
    let hashes = text.strip_prefix('r')?.bytes().take_while(|byte| *byte == b'#').count();
    let body = text.get(1 + hashes..)?.strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    Some(2 + hashes + body.find(&close)? + close.len())
}

/// Length of the string or of the quote character that starts here.
fn quoted(text: &str) -> Option<usize> {
    if text.starts_with("'\"'") {
        return Some(3);
    }
    let body = text.strip_prefix('"')?;
    let mut escaped = false;
    let end = body.char_indices().find(|(_, next)| {
        let closes = *next == '"' && !escaped;
        escaped = *next == '\\' && !escaped;
        closes
    });
    end.map(|(at, _)| at + 2)
}

fn source(path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap();
    let path = relative(path);
    let is_test = path.ends_with("/tests.rs") || path.contains("/tests/");
    let compiled = if is_test { "" } else { text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default() };
    Source { code: without_comments(compiled), path, text }
}

fn sources(folder: &str) -> Vec<Source> {
    let rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    files(&root().join(folder)).iter().filter(|path| rust(path)).map(|path| source(path)).collect()
}

/// Where `word` stands as a word of its own.
fn occurrences(line: &str, word: &str) -> Vec<usize> {
    let is_word = |next: char| next.is_alphanumeric() || next == '_';
    let alone = |at: &usize| {
        let before = line[..*at].chars().next_back().is_some_and(is_word);
        let after = line[at + word.len()..].chars().next().is_some_and(is_word);
        !before && !after
    };
    line.match_indices(word).map(|(at, _)| at).filter(alone).collect()
}

fn names(line: &str, word: &str) -> bool {
    !occurrences(line, word).is_empty()
}

/// Fails with every place where one of `words` stands in a file that `may` does not allow.
fn only(words: &[&str], may: impl Fn(&Source) -> bool, advice: &str) {
    let mut wrong = Vec::new();
    for source in sources("src").iter().filter(|source| !may(source)) {
        for (number, line) in source.lines() {
            wrong.extend(words.iter().filter(|word| names(line, word)).map(|word| format!("{}:{number}: {word}", source.path)));
        }
    }
    assert!(wrong.is_empty(), "{advice}\n{}", wrong.join("\n"));
}

/// First names after each `crate::`, groups in braces included.
fn modules_used(code: &str) -> BTreeSet<String> {
    let identifier = |text: &str| text.chars().take_while(|next| next.is_alphanumeric() || *next == '_').collect::<String>();
    let mut used = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            used.insert(identifier(rest));
            continue;
        };
        let mut depth = 1;
        let mut start = true;
        for (index, next) in group.char_indices() {
            match next {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => start = true,
                _ if start && !next.is_whitespace() => {
                    used.insert(identifier(&group[index..]));
                    start = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    used
}

#[test]
fn a_module_uses_only_modules_below_it() {
    let rank: BTreeMap<&str, usize> =
        ORDER.iter().enumerate().flat_map(|(rank, row)| row.iter().map(move |name| (*name, rank))).collect();
    let mut wrong = Vec::new();
    for source in sources("src").iter().filter(|source| !["src/lib.rs", "src/main.rs"].contains(&source.path.as_str())) {
        let module = source.module();
        let Some(own) = rank.get(module) else {
            wrong.push(format!("{}: module `{module}` has no place in the order", source.path));
            continue;
        };
        for used in modules_used(&source.code).iter().filter(|used| *used != module) {
            match rank.get(used.as_str()) {
                Some(below) if below > own || (below == own && *own == ORDER.len() - 1) => {}
                Some(_) => wrong.push(format!("{}: `{module}` uses `{used}`, which stands above it", source.path)),
                None => {} // a macro or an item of lib.rs
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "Move the item down to a module that both may use, or pass it in as an argument; a new module gets its place in ORDER \
         of tests/architecture.rs and in the map of src/lib.rs:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn only_store_names_diesel() {
    only(
        &["diesel", "diesel_migrations", "libsqlite3_sys", "pq_sys", "r2d2"],
        |source| source.module() == "store",
        "Give `store` a method that takes &Access and call it: SQL elsewhere would pass by the scope:",
    );
}

#[test]
fn only_http_names_actix() {
    only(
        &["actix_web", "actix_rt", "actix_http", "actix"],
        |source| source.module() == "http",
        "Parse into an Interaction and answer with an Outcome; the web framework stays inside http/:",
    );
}

#[test]
fn from_resource_is_written_once() {
    let mut reads = Vec::new();
    for source in sources("src") {
        for (number, line) in source.lines() {
            let line = line.to_uppercase().replace('"', "").replace("DELETE FROM RESOURCE", "");
            let found = ["FROM RESOURCE", "JOIN RESOURCE"].iter().flat_map(|read| occurrences(&line, read));
            reads.extend(found.map(|_| (source.path.clone(), number)));
        }
    }
    // The two forms (with and without a driving index) stand in the two arms of that one function.
    let one_function = reads.first().zip(reads.last()).is_none_or(|(first, last)| first.0 == last.0 && last.1 - first.1 < 5);
    assert!(
        one_function,
        "One function writes `FROM resource` and always ANDs the scope of the Access; express the question as a Plan for it: {reads:?}"
    );
}

#[test]
fn only_clock_reads_the_time() {
    only(
        &["SystemTime::now", "Timestamp::now", "Zoned::now", "Utc::now", "Local::now"],
        |source| source.path == "src/clock.rs",
        "Call `clock::now()` once at the border and pass the time in, so that tests choose it:",
    );
}

#[test]
fn only_ids_makes_random_bytes() {
    only(
        &["openssl::rand", "rand_bytes", "getrandom", "thread_rng", "new_v4", "OsRng"],
        |source| source.path == "src/ids.rs",
        "Call `ids::random`, or derive the value from a seed that is passed in:",
    );
}

#[test]
fn only_config_and_the_command_line_read_the_environment() {
    only(
        &["std::env", "env::var", "env::args", "env::vars"],
        |source| ["config", "main", "cli"].contains(&source.module()),
        "Add a setting to `config::Settings` and pass it in:",
    );
}

#[test]
fn policy_translate_and_audit_match_every_case() {
    let mut wrong = Vec::new();
    for source in sources("src").iter().filter(|source| ["policy", "translate", "audit"].contains(&source.module())) {
        for (number, line) in source.lines() {
            if names(line, "_ =>") {
                wrong.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "A wrong default hurts someone here. Name every variant; for text and numbers write `other =>` (`_other =>`) and answer \
         with an issue that names the kind of value:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn files_stay_short() {
    let listed: BTreeMap<&str, usize> = LONG_FILES.iter().copied().collect();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for source in ["src", "tests", "conformance"].iter().flat_map(|folder| sources(folder)) {
        let lines = source.text.lines().count();
        match listed.get(source.path.as_str()) {
            None if lines > LINES_MAX => wrong.push(format!("{}: {lines} lines: split it by subject", source.path)),
            None => {}
            Some(most) if lines > *most => wrong.push(format!("{}: {lines} lines, was {most}: take something out", source.path)),
            Some(_) if lines <= LINES_MAX => wrong.push(format!("{}: {lines} lines: remove it from LONG_FILES", source.path)),
            Some(_) => {}
        }
        seen.insert(source.path);
    }
    wrong.extend(
        listed.keys().filter(|path| !seen.contains(**path)).map(|path| format!("{path}: gone: remove it from LONG_FILES")),
    );
    assert!(wrong.is_empty(), "Files have at most {LINES_MAX} lines; LONG_FILES only shrinks:\n{}", wrong.join("\n"));
}

#[test]
fn both_databases_have_the_same_migrations() {
    let names = |database: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(root().join("migrations").join(database)).into_iter().flatten();
        entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| !name.starts_with('.'))
            .collect()
    };
    let (sqlite, postgresql) = (names("sqlite"), names("postgresql"));
    let alone: Vec<_> = sqlite.symmetric_difference(&postgresql).collect();
    assert!(alone.is_empty(), "Write each migration for both databases, under one name: {alone:?}");
}

#[test]
fn lints_are_expected_with_a_reason_never_allowed() {
    let attributes = [concat!("#[", "allow("), concat!("#![", "allow(")];
    let mut wrong = Vec::new();
    for source in ["src", "tests", "conformance"].iter().flat_map(|folder| sources(folder)) {
        let code = without_comments(&source.text);
        for (index, line) in code.lines().enumerate() {
            if attributes.iter().any(|attribute| line.trim_start().starts_with(attribute)) {
                wrong.push(format!("{}:{}", source.path, index + 1));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "Write #[expect(lint, reason = \"...\")], which tells when it is no longer needed:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn no_sample_document_is_copied_into_the_repository() {
    let samples = root().join("../shared/samples");
    if !samples.is_dir() {
        println!("skipped: {} is not here", samples.display());
        return;
    }
    let digest = |path: &PathBuf| openssl::sha::sha1(&fs::read(path).unwrap());
    let foreign: BTreeMap<[u8; 20], PathBuf> = files(&samples).into_iter().map(|path| (digest(&path), path)).collect();
    let copied: Vec<_> = files(&root()).into_iter().filter(|path| foreign.contains_key(&digest(path))).collect();
    assert!(
        copied.is_empty(),
        "The samples have no licence to copy: read them where they lie, or write an own document: {copied:?}"
    );
}

#[test]
fn the_lexer_of_this_file_blanks_comments_only() {
    let code = without_comments("a // diesel\nlet s = \"// kept\"; /* diesel\n */ b r#\"// \"kept\" \"# '\"' // x\n'a c");
    assert_eq!(code, "a \nlet s = \"// kept\"; \n b r#\"// \"kept\" \"# '\"' \n'a c");
    let used = modules_used("use crate::{fhir::{A, B}, ids}; crate::store::x()");
    assert_eq!(used.into_iter().collect::<Vec<_>>(), ["fhir", "ids", "store"]);
}
