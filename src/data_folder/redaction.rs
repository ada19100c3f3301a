//! Texts for clients, without the names of the server's folders.

use std::path::{Path, PathBuf};

use super::DataFolder;

impl DataFolder {
    /// A text without the names of folders that are the server's own.
    pub(crate) fn without_folders(&self, text: String) -> String {
        if !text.contains(['/', '\\']) {
            return text;
        }
        let roots = self.store.workspaces().unwrap_or_default().into_iter().filter_map(|row| row.root);
        let runtime = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from);
        let mut folders: Vec<PathBuf> = roots
            .chain([self.path.clone(), std::env::temp_dir()])
            .chain(self.models.runtime_folder.clone())
            .chain(runtime.as_deref().and_then(Path::parent).map(Path::to_owned))
            .chain(self.config.ranking.reranker.as_deref().and_then(Path::parent).map(Path::to_owned))
            .collect();
        let canonical: Vec<PathBuf> = folders.iter().filter_map(|folder| fs_err::canonicalize(folder).ok()).collect();
        folders.extend(canonical);
        without(text, folders)
    }
}

/// Takes folders off the paths in a text, those inside others first.
fn without(mut text: String, mut folders: Vec<PathBuf>) -> String {
    folders.retain(|folder| folder.is_absolute() && folder.parent().is_some());
    folders.sort_by_key(|folder| std::cmp::Reverse(folder.as_os_str().len()));
    for folder in folders {
        let folder = folder.display().to_string();
        let folder = folder.trim_end_matches(std::path::MAIN_SEPARATOR);
        text = text.replace(&format!("{folder}{}", std::path::MAIN_SEPARATOR), "");
        text = text.replace(folder, "its folder");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_taken_off_whatever_lies_in_them() {
        let folders = || vec!["/srv".into(), "/srv/data".into(), "/".into(), "data".into()];
        let told = |text: &str| without(text.to_owned(), folders());
        assert_eq!(told("failed to open `/srv/data/a/b.md`"), "failed to open `a/b.md`");
        assert_eq!(told("`/srv/data` is no folder, `/srv/x` neither"), "`its folder` is no folder, `x` neither");
        assert_eq!(told("`/openapi.json` says more of data/x"), "`/openapi.json` says more of data/x");
    }
}
