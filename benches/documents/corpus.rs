//! The development documents and what is beside them.

use std::path::{Path, PathBuf};

/// One line of `docs/INDEX.tsv`.
pub struct Entry {
    /// `<source>/<path>` under `docs/`.
    pub path: String,
    pub num_bytes: u64,
}

/// The folder of the development data, where it is there.
pub fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("PINCITE_DEV_DATA")?);
    folder.join("docs/INDEX.tsv").is_file().then_some(folder)
}

/// The folder of the documents.
pub fn documents() -> PathBuf {
    folder().expect("asked before anything else").join("docs")
}

/// All files of the index that are there.
pub fn entries() -> Vec<Entry> {
    listed().into_iter().filter(|entry| documents().join(&entry.path).is_file()).collect()
}

/// The paths of the index where no file is.
pub fn missing() -> Vec<String> {
    let missing = listed().into_iter().filter(|entry| !documents().join(&entry.path).is_file());
    missing.map(|entry| entry.path).collect()
}

fn listed() -> Vec<Entry> {
    let index = fs_err::read_to_string(documents().join("INDEX.tsv")).expect("an index");
    let entry = |line: &str| {
        let mut fields = line.split('\t');
        let (source, path) = (fields.next()?, fields.next()?);
        let num_bytes = fields.next()?.parse().ok()?;
        Some(Entry { path: format!("{source}/{path}"), num_bytes })
    };
    index.lines().skip(1).filter_map(entry).collect()
}

impl Entry {
    pub fn bytes(&self) -> Vec<u8> {
        fs_err::read(documents().join(&self.path)).expect("a file of the index")
    }

    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The last extension in lower case; a dash where there is none.
    pub fn extension(&self) -> String {
        match Path::new(self.file_name()).extension() {
            Some(extension) => extension.to_string_lossy().to_lowercase(),
            None => "-".to_owned(),
        }
    }

    /// The text that the file should have, where somebody else has read it: poppler for PDF, docling for the rest.
    pub fn reference(&self) -> Option<String> {
        let documents = documents();
        if self.extension() == "pdf" {
            let text = fs_err::read(documents.join("_pdftotext").join(format!("{}.txt", self.path))).ok()?;
            return Some(String::from_utf8_lossy(&text).into_owned());
        }
        let (kind, name) = self.path.strip_prefix("docling/")?.split_once("/sources/")?;
        let text = documents.join("docling").join(kind).join("groundtruth").join(format!("{name}.md"));
        Some(without_marks(&fs_err::read_to_string(text).ok()?))
    }
}

/// Markdown without what is no word of the file: comments, entities, and where links and pictures lead.
fn without_marks(markdown: &str) -> String {
    let mut text = String::with_capacity(markdown.len());
    let mut rest = markdown;
    while let Some((before, comment)) = rest.split_once("<!--") {
        text.push_str(before);
        rest = comment.split_once("-->").map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    for (entity, character) in [("&lt;", "<"), ("&gt;", ">"), ("&#124;", "|"), ("\\_", "_"), ("&amp;", "&")] {
        text = text.replace(entity, character);
    }
    let mut words = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, target)) = rest.split_once("](") {
        words.push_str(before);
        words.push(' ');
        rest = target.split_once(')').map_or("", |(_, after)| after);
    }
    words.push_str(rest);
    words
}
