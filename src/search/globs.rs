//! The path globs of a request. A glob that says what an index can keep as a field (a folder, a name, an extension) becomes a
//! condition on that field; the files that match any other glob are decided where the list of files is.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::SearchError;
use crate::index::{Filter, PathTest};
use crate::workspace::{PatternLimits, common_spelling, glob_of_paths};

/// A filter, and the globs that are not in it yet.
#[derive(Debug, Clone, Default)]
pub struct Compiled {
    /// The conditions that an index applies.
    pub filter: Filter,
    /// The globs: the files that match them become [`Filter::matching`].
    pub globs: PathGlobs,
}

impl Compiled {
    /// Whether a path passes the conditions on paths.
    #[must_use]
    pub fn admits_path(&self, path: &str) -> bool {
        self.filter.admits_path(path) && self.globs.admits(path)
    }

    /// Both at once: what passes, passes each of them.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.filter = self.filter.and(other.filter);
        self.globs.0.extend(other.globs.0);
        self
    }
}

/// Globs on paths that are more than conditions on fields. A path passes when it matches one glob of each wanted list and none of an
/// unwanted list. Two are equal when their patterns are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathGlobs(Vec<GlobList>);

/// Some globs, as they were written and compiled.
#[derive(Debug, Clone)]
struct GlobList {
    patterns: Vec<String>,
    is_wanted: bool,
    globs: GlobSet,
}

impl PartialEq for GlobList {
    fn eq(&self, other: &Self) -> bool {
        (&self.patterns, self.is_wanted) == (&other.patterns, other.is_wanted)
    }
}

impl Eq for GlobList {}

impl PathGlobs {
    /// Whether there are none, so that every path passes.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a path passes.
    #[must_use]
    pub fn admits(&self, path: &str) -> bool {
        if self.is_open() {
            return true;
        }
        let path = common_spelling(path);
        self.0.iter().all(|list| list.globs.is_match(&*path) == list.is_wanted)
    }
}

/// The conditions that path globs make: paths are to match one of `wanted`, where there are some, and none of `unwanted`.
///
/// # Errors
/// [`SearchError::Pattern`] for a glob beyond `limits`, [`SearchError::Invalid`] for one that cannot be read.
pub(super) fn compile(wanted: &[String], unwanted: &[String], limits: PatternLimits) -> Result<Compiled, SearchError> {
    let mut compiled = Compiled::default();
    if !wanted.is_empty() {
        let globs = read(wanted, limits)?;
        // A path is to match any of them, so one that is no condition on a field takes the others with it.
        match globs.iter().map(|glob| test_of(glob.glob())).collect::<Option<Vec<PathTest>>>() {
            Some(tests) => compiled.filter.paths.push(tests),
            None => compiled.globs.0.push(list_of(&globs, true)?),
        }
    }
    let (mut tests, mut others) = (Vec::new(), Vec::new());
    for glob in read(unwanted, limits)? {
        match test_of(glob.glob()) {
            Some(test) => tests.push(test),
            None => others.push(glob),
        }
    }
    compiled.filter.other_paths = tests;
    if !others.is_empty() {
        compiled.globs.0.push(list_of(&others, false)?);
    }
    Ok(compiled)
}

/// The globs of patterns, for paths in their common spelling.
fn read(patterns: &[String], limits: PatternLimits) -> Result<Vec<globset::Glob>, SearchError> {
    let glob = |pattern: &String| {
        limits.check(pattern)?;
        if pattern.split('/').any(|part| part == "..") {
            let message = format!("`{pattern}` is not a path glob: no path of a workspace holds `..`");
            return Err(SearchError::invalid(message, "begin at the workspace's folder, for example `reports/**`"));
        }
        let whole = glob_of_paths(pattern);
        let spelled = common_spelling(&whole);
        GlobBuilder::new(&spelled).literal_separator(true).backslash_escape(true).build().map_err(|error| {
            SearchError::invalid(
                format!("`{pattern}` is not a path glob: {}", error.kind()),
                "for example `reports/**` or `*.md`",
            )
        })
    };
    patterns.iter().map(glob).collect()
}

fn list_of(globs: &[globset::Glob], is_wanted: bool) -> Result<GlobList, SearchError> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(glob.clone());
    }
    let set = set.build().map_err(|error| SearchError::invalid(error.to_string(), "use fewer or simpler globs"))?;
    let patterns = globs.iter().map(|glob| glob.glob().to_owned()).collect();
    Ok(GlobList { patterns, is_wanted, globs: set })
}

/// The condition on a field that a glob says; `None` where it says something else.
fn test_of(glob: &str) -> Option<PathTest> {
    let is_plain = |text: &str| !text.contains(['*', '?', '[', ']', '{', '}', '\\', '!', ',']);
    let is_path = |text: &str| is_plain(text) && text.split('/').all(|part| !matches!(part, "" | "." | ".."));
    let is_name = |text: &str| is_path(text) && !text.contains('/');
    if let Some(anywhere) = glob.strip_prefix("**/") {
        if anywhere == "*" {
            return Some(PathTest::Below(String::new()));
        }
        if let Some(extension) = anywhere.strip_prefix("*.").filter(|rest| is_name(rest) && !rest.contains('.')) {
            return Some(PathTest::Extension(extension.to_owned()));
        }
        if let Some(folder) = anywhere.strip_suffix("/**").filter(|folder| is_name(folder)) {
            return Some(PathTest::UnderName(folder.to_owned()));
        }
        return is_name(anywhere).then(|| PathTest::Named(anywhere.to_owned()));
    }
    match glob.strip_suffix("/**") {
        Some(folder) => is_path(folder).then(|| PathTest::Below(folder.to_owned())),
        None => is_path(glob).then(|| PathTest::Is(glob.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compiled(wanted: &[&str], unwanted: &[&str]) -> Compiled {
        let owned = |globs: &[&str]| globs.iter().map(|&glob| glob.to_owned()).collect::<Vec<_>>();
        compile(&owned(wanted), &owned(unwanted), PatternLimits::default()).unwrap()
    }

    #[test]
    fn folders_names_and_extensions_are_conditions_on_fields() {
        for glob in ["reports/**", "a/b.md", "*.md", "b.md", "**/reports/**", "*", "ﾃﾞｰﾀ.md"] {
            assert!(compiled(&[glob], &[glob]).globs.is_open(), "{glob}");
        }
        for glob in ["runs/*/out.txt", "{a,b}.md", "[ab]/**", "*.tar.gz", "**/a/b", "re?orts/**", r"a\*b", "*.md*"] {
            let Compiled { filter, globs } = compiled(&[glob], &[glob]);
            assert!(filter.admits_all_files() && globs.0.len() == 2, "{glob}");
        }
        // One that a path may match instead of the other, and one that it may not match beside the other.
        let Compiled { filter, globs } = compiled(&["*.md", "a/*/b"], &["*.txt", "c/*/d"]);
        assert_eq!((filter.paths.len(), filter.other_paths.len(), globs.0.len()), (0, 1, 2));
    }

    #[test]
    fn globs_are_equal_by_their_patterns() {
        let globs = |wanted: &[&str], unwanted: &[&str]| compiled(wanted, unwanted).globs;
        assert_eq!(globs(&["a/*/b"], &[]), globs(&["a/*/b"], &[]));
        assert_ne!(globs(&["a/*/b"], &[]), globs(&[], &["a/*/b"]));
        assert_ne!(globs(&["a/*/b"], &[]), globs(&["a/*/c"], &[]));
    }

    #[test]
    fn a_glob_begins_at_the_folder_and_leads_nowhere_else() {
        for glob in ["/a.md", "./a.md"] {
            let compiled = compiled(&[glob], &[]);
            assert!(compiled.admits_path("a.md") && !compiled.admits_path("b/a.md"), "{glob}");
        }
        for glob in ["../x", "a/../b", "..", "/../*"] {
            let error = compile(&[glob.to_owned()], &[], PatternLimits::default()).unwrap_err();
            assert!(error.to_string().contains("no path of a workspace holds `..`"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_condition_on_a_field_passes_what_its_glob_matches(
            glob in r"(\*\*/)?(\*|\*\.|\.)?[ab.]{0,3}(/[ab.]{0,2}){0,2}(/\*\*)?",
            path in r"[ab.]{1,3}(/[ab.]{1,3}){0,3}",
        ) {
            prop_assume!(path.split('/').all(|part| !matches!(part, "" | "." | "..")));
            let limits = PatternLimits::default();
            let Ok(globs) = read(std::slice::from_ref(&glob), limits) else { return Ok(()) };
            let is_match = globs[0].compile_matcher().is_match(&path);
            for (wanted, unwanted) in [(vec![glob.clone()], vec![]), (vec![], vec![glob.clone()])] {
                let passes = compile(&wanted, &unwanted, limits).unwrap().admits_path(&path);
                prop_assert_eq!(passes, is_match != wanted.is_empty(), "{} {} {:?}", glob, path, test_of(globs[0].glob()));
            }
        }
    }
}
