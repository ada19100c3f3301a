//! What a pattern from outside may be, checked before it is compiled: compilers of globs call themselves for each brace in another.

use std::borrow::Cow;

use crate::config::Limits;
use crate::error::Advice;

/// What one pattern may take: a glob, or a line of an ignore file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatternLimits {
    /// Its length in bytes.
    pub bytes: u64,
    /// Braces in one another.
    pub nesting: u64,
    /// Patterns of one request.
    pub number: u64,
}

impl From<&Limits> for PatternLimits {
    fn from(limits: &Limits) -> Self {
        Self { bytes: limits.pattern_bytes, nesting: limits.pattern_nesting, number: limits.request_patterns }
    }
}

impl Default for PatternLimits {
    fn default() -> Self {
        Self::from(&Limits::default())
    }
}

impl PatternLimits {
    /// Refuses a pattern that is not to be compiled.
    ///
    /// # Errors
    /// Which limit it is beyond.
    pub fn check(&self, pattern: &str) -> Result<(), PatternError> {
        let (num_bytes, max) = (pattern.len() as u64, self.bytes);
        if num_bytes > max {
            return Err(PatternError::Long { num_bytes, max });
        }
        let (nesting, max) = (nesting(pattern), self.nesting);
        if nesting > max { Err(PatternError::Nested { nesting, max }) } else { Ok(()) }
    }

    /// Refuses so many patterns in one request.
    ///
    /// # Errors
    /// The limit that they are beyond.
    pub fn check_number(&self, num_patterns: usize) -> Result<(), PatternError> {
        let (num_patterns, max) = (num_patterns as u64, self.number);
        if num_patterns > max { Err(PatternError::Many { num_patterns, max }) } else { Ok(()) }
    }
}

/// Why a pattern is not compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is too long.
    #[error("the pattern has {num_bytes} bytes, more than the {max} of `limits.pattern_bytes`")]
    Long {
        /// Its bytes.
        num_bytes: u64,
        /// The limit.
        max: u64,
    },
    /// Its braces are nested too deep.
    #[error("the braces of the pattern are nested {nesting} deep, deeper than the {max} of `limits.pattern_nesting`")]
    Nested {
        /// How deep.
        nesting: u64,
        /// The limit.
        max: u64,
    },
    /// There are too many of them.
    #[error("the request has {num_patterns} patterns, more than the {max} of `limits.request_patterns`")]
    Many {
        /// How many.
        num_patterns: u64,
        /// The limit.
        max: u64,
    },
}

impl Advice for PatternError {
    fn code(&self) -> &'static str {
        match self {
            Self::Long { .. } | Self::Nested { .. } => "pattern_too_large",
            Self::Many { .. } => "too_many_patterns",
        }
    }

    fn hint(&self) -> Option<String> {
        let key = match self {
            Self::Long { .. } => "pattern_bytes",
            Self::Nested { .. } => "pattern_nesting",
            Self::Many { .. } => "request_patterns",
        };
        Some(format!("use fewer and simpler patterns, or raise `{key}` in `[limits]` of `config.toml`"))
    }
}

/// A path glob as it is matched against whole paths, read as a line of a `.gitignore` file: one without a slash is about names, wherever they
/// are, and one that begins with `/` or `./` begins at the workspace's folder.
#[must_use]
pub fn glob_of_paths(pattern: &str) -> Cow<'_, str> {
    match pattern.strip_prefix("./").or_else(|| pattern.strip_prefix('/')) {
        Some(anchored) => anchored.into(),
        None if pattern.contains('/') => pattern.into(),
        None => format!("**/{pattern}").into(),
    }
}

/// How deep braces stand in one another at most, read as `globset` reads them: a backslash takes the next sign as it is, and braces
/// in a class are plain signs. Where a class has no end its bracket is a plain sign, as all that come after it are.
fn nesting(pattern: &str) -> u64 {
    let (mut depth, mut deepest): (u64, u64) = (0, 0);
    let mut has_classes = true;
    let mut rest = pattern.chars();
    while let Some(sign) = rest.next() {
        match sign {
            '\\' => drop(rest.next()),
            '[' if has_classes => match after_class(rest.as_str()) {
                Some(after) => rest = after.chars(),
                None => has_classes = false,
            },
            '{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// What follows a class whose bracket was just read.
fn after_class(rest: &str) -> Option<&str> {
    let inside = rest.strip_prefix(['!', '^']).unwrap_or(rest);
    let first = inside.chars().next()?.len_utf8();
    let end = inside[first..].find(']')?;
    Some(&inside[first + end + 1..])
}

#[cfg(test)]
mod tests {
    use ignore::gitignore::GitignoreBuilder;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nesting_is_counted_as_globset_does() {
        for (pattern, expected) in [
            ("*.md", 0),
            ("{a,b}/{c,d}", 1),
            ("{a,{b,{c}}}", 3),
            (r"\{\{\{", 0),
            (r"{\}{\}{\}", 3),
            ("{[}]{[}]{", 3),
            ("[{{{]", 0),
            ("[]{{]", 0),
            ("[!]{{]", 0),
            ("[{{{", 3),
            ("{[a}{[b}{", 1),
            ("", 0),
        ] {
            assert_eq!(nesting(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn a_limit_that_is_met_is_named_with_its_value_and_key() {
        let limits = PatternLimits { bytes: 10, nesting: 2, number: 3 };
        assert_eq!(limits.check("{{a}}45678"), Ok(()));
        assert_eq!(limits.check("12345678901"), Err(PatternError::Long { num_bytes: 11, max: 10 }));
        assert_eq!(limits.check("{{{a}}}"), Err(PatternError::Nested { nesting: 3, max: 2 }));
        assert_eq!(limits.check_number(3), Ok(()));
        let error = limits.check_number(4).unwrap_err();
        assert!(error.to_string().contains("4 patterns, more than the 3 of `limits.request_patterns`"), "{error}");
        assert!(error.hint().unwrap().contains("`request_patterns`"));
    }

    /// How deep groups stand in one another in a regular expression whose literals have no parenthesis.
    fn groups(regex: &str) -> u64 {
        let (mut depth, mut deepest) = (0, 0);
        for sign in regex.chars() {
            match sign {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            deepest = deepest.max(depth);
        }
        deepest
    }

    proptest! {
        /// `**` may be a group of its own inside the deepest braces.
        #[test]
        fn what_globset_makes_of_a_pattern_is_no_deeper_than_was_counted(
            pattern in r"([{},\[\]!^\\a*/-]|\{\{|\}\})*"
        ) {
            for unclosed in [false, true] {
                let built = globset::GlobBuilder::new(&pattern)
                    .literal_separator(true)
                    .backslash_escape(true)
                    .allow_unclosed_class(unclosed)
                    .build();
                if let Ok(glob) = built {
                    let flags = 1;
                    prop_assert!(groups(glob.regex()) <= nesting(&pattern).max(flags) + 1, "{} {}", pattern, glob.regex());
                }
            }
        }

        #[test]
        fn a_pattern_that_passes_is_compiled_on_a_small_stack(pattern in r"([{},\[\]!^\\a*/-]|\{{1,9}|\}{1,9}){0,400}") {
            let limits = PatternLimits::default();
            if limits.check(&pattern).is_ok() {
                let compile = move || {
                    let _ = globset::Glob::new(&pattern).map(|glob| glob.compile_matcher());
                    let mut lines = GitignoreBuilder::new("");
                    let _ = lines.add_line(None, &pattern);
                    let _ = lines.build();
                };
                let thread = std::thread::Builder::new().stack_size(512 * 1024).spawn(compile).unwrap();
                prop_assert!(thread.join().is_ok());
            }
        }
    }

    #[test]
    fn the_deepest_and_longest_pattern_that_passes_is_compiled() {
        let limits = PatternLimits::default();
        let (deep, bytes) = (usize::try_from(limits.nesting).unwrap(), usize::try_from(limits.bytes).unwrap());
        let ends = format!("{}a{}", "{".repeat(deep), "}".repeat(deep));
        for pattern in
            [ends.repeat(bytes / ends.len()), "*".repeat(bytes), "[a]".repeat(bytes / 3), "**/".repeat(bytes / 3)]
        {
            limits.check(&pattern).unwrap();
            let _ = globset::Glob::new(&pattern).map(|glob| glob.compile_matcher());
        }
        assert!(limits.check(&"{".repeat(32_000)).is_err());
    }
}
