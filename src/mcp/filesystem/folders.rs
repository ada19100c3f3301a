//! Folders, as the reference server shows them.

use std::collections::{BTreeMap, BTreeSet};

use rmcp::schemars;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::tools::{WorkspaceTool, parse, tool};
use super::{AtPath, Text, fitting, folder_of, making, reported, text};
use crate::budget::Budget;
use crate::engine::{Action, Below, Depth, Workspace};
use crate::error::ErrorReport;

/// No arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// The order of a list with sizes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum SortBy {
    #[default]
    Name,
    Size,
}

/// A folder to list with sizes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SizesRequest {
    /// The folder; `.` for the workspace's own.
    path: String,
    /// The order: `name`, or `size`, the largest first.
    #[serde(default, rename = "sortBy")]
    sort_by: SortBy,
}

/// A folder to show as a tree.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TreeRequest {
    /// The folder; `.` for the workspace's own.
    path: String,
    /// Globs on paths from that folder on; what matches one is left out.
    #[serde(default, rename = "excludePatterns")]
    exclude_patterns: Vec<String>,
}

/// Names to look for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FindRequest {
    /// The folder to look in; `.` for the workspace's own.
    path: String,
    /// A glob on paths from that folder on: `*.md` for files directly in it, `**/*.md` for all below.
    pattern: String,
    /// Globs on paths from that folder on; what matches one is left out.
    #[serde(default, rename = "excludePatterns")]
    exclude_patterns: Vec<String>,
}

pub(super) fn tools() -> Vec<WorkspaceTool> {
    vec![
        WorkspaceTool {
            action: Action::MakeFolder,
            tool: making::<AtPath>(
                "create_directory",
                "Make a folder",
                "Makes a folder, and those on the way to it. One that is there stays as it is. Writing a file makes its folders, too.",
            ),
            run: |workspace, arguments, _| {
                let AtPath { path } = parse(arguments)?;
                if let Some(folder) = folder_of(workspace, &path)? {
                    reported(workspace, workspace.make_folder(&folder))?;
                }
                text(format!("Successfully created directory {path}"))
            },
        },
        WorkspaceTool {
            action: Action::List,
            tool: tool::<AtPath, Text>(
                "list_directory",
                "List a folder",
                "Lists what is directly in a folder, a line each: `[FILE] name` or `[DIR] name`, by name.",
            ),
            run: |workspace, arguments, around| {
                let AtPath { path } = parse(arguments)?;
                let lines = entries(workspace, &path, around.budget)?.iter().map(Entry::line).collect();
                text(fitting(lines, "use `search_files` or `list_files`"))
            },
        },
        WorkspaceTool {
            action: Action::List,
            tool: tool::<SizesRequest, Text>(
                "list_directory_with_sizes",
                "List a folder with sizes",
                "Lists what is directly in a folder with the size of each file, and how much they are together.",
            ),
            run: |workspace, arguments, around| text(with_sizes(workspace, &parse(arguments)?, around.budget)?),
        },
        WorkspaceTool {
            action: Action::List,
            tool: tool::<TreeRequest, Text>(
                "directory_tree",
                "Show a tree",
                "Shows a folder and all below it as JSON: each entry has `name` and `type`, and a folder its `children`.",
            ),
            run: |workspace, arguments, around| text(tree(workspace, &parse(arguments)?, around.budget)?),
        },
        WorkspaceTool {
            action: Action::List,
            tool: tool::<FindRequest, Text>(
                "search_files",
                "Find files by name",
                "Finds files and folders by their paths, a line each. Use `search_workspace` or `grep_files` to find words in files.",
            ),
            run: |workspace, arguments, around| text(find(workspace, &parse(arguments)?, around.budget)?),
        },
        WorkspaceTool {
            action: Action::List,
            tool: tool::<AtPath, Text>(
                "get_file_info",
                "Describe a file",
                "Says of a file or folder what it is, how large, and when it was last modified.",
            ),
            run: |workspace, arguments, _| {
                let AtPath { path } = parse(arguments)?;
                text(info(workspace, &path)?)
            },
        },
    ]
}

/// What stands in a folder.
struct Entry {
    name: String,
    /// Of a file, its size in bytes.
    size: Option<u64>,
}

impl Entry {
    fn line(&self) -> String {
        format!("{} {}", self.kind(), self.name)
    }

    const fn kind(&self) -> &'static str {
        if self.size.is_some() { "[FILE]" } else { "[DIR]" }
    }
}

/// What is below a folder: paths from there on, each with the size of the file, or none for a folder.
fn below(
    workspace: &Workspace<'_>,
    path: &str,
    depth: Depth,
    budget: &Budget,
) -> Result<BTreeMap<String, Option<u64>>, ErrorReport> {
    let folder = folder_of(workspace, path)?;
    let Below { files, folders } = reported(workspace, workspace.below(folder.as_ref(), depth, budget))?;
    let prefix = folder.map_or(0, |folder| folder.as_str().len() + 1);
    let folders = folders.iter().map(|folder| (&folder.as_str()[prefix..], None));
    let all = files.iter().map(|file| (&file.path.as_str()[prefix..], Some(file.size)));
    Ok(folders.chain(all).map(|(relative, size)| (relative.to_owned(), size)).collect())
}

/// What is directly in a folder, by name.
fn entries(workspace: &Workspace<'_>, path: &str, budget: &Budget) -> Result<Vec<Entry>, ErrorReport> {
    let mut entries: BTreeMap<String, Option<u64>> = BTreeMap::new();
    for (relative, size) in below(workspace, path, Depth::One, budget)? {
        match relative.split_once('/') {
            Some((folder, _)) => entries.insert(folder.to_owned(), None),
            None => entries.insert(relative, size),
        };
    }
    Ok(entries.into_iter().map(|(name, size)| Entry { name, size }).collect())
}

fn with_sizes(workspace: &Workspace<'_>, request: &SizesRequest, budget: &Budget) -> Result<String, ErrorReport> {
    let mut entries = entries(workspace, &request.path, budget)?;
    if request.sort_by == SortBy::Size {
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.size.unwrap_or(0)));
    }
    let sizes: Vec<u64> = entries.iter().filter_map(|entry| entry.size).collect();
    let line = |entry: &Entry| {
        let size = entry.size.map(size_in_words).unwrap_or_default();
        format!("{} {:<30} {size:>10}", entry.kind(), entry.name).trim_end().to_owned()
    };
    let list = fitting(entries.iter().map(line).collect(), "use `list_files`");
    let (num_files, num_folders) = (sizes.len(), entries.len() - sizes.len());
    let sum = size_in_words(sizes.iter().sum());
    Ok(format!("{list}\n\nTotal: {num_files} files, {num_folders} directories\nCombined size: {sum}"))
}

/// A size as the reference server writes it.
fn size_in_words(num_bytes: u64) -> String {
    let (mut size, mut unit) = (num_bytes as f64, 0);
    let units = ["B", "KB", "MB", "GB", "TB"];
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{num_bytes} B") } else { format!("{size:.2} {}", units[unit]) }
}

/// A folder of a tree.
#[derive(Default)]
struct Folder {
    /// Names of folders and files; a file has no folder behind its name.
    children: BTreeMap<String, Option<Folder>>,
}

impl Folder {
    fn add(&mut self, relative: &str, is_folder: bool) {
        if let Some((name, rest)) = relative.split_once('/') {
            let child = self.children.entry(name.to_owned()).or_default();
            child.get_or_insert_default().add(rest, is_folder);
        } else {
            let folder = is_folder.then(Self::default);
            self.children.entry(relative.to_owned()).or_insert(folder);
        }
    }

    fn shown(&self) -> Value {
        let entry = |(name, child): (&String, &Option<Self>)| match child {
            Some(folder) => json!({ "name": name, "type": "directory", "children": folder.shown() }),
            None => json!({ "name": name, "type": "file" }),
        };
        self.children.iter().map(entry).collect()
    }
}

fn tree(workspace: &Workspace<'_>, request: &TreeRequest, budget: &Budget) -> Result<String, ErrorReport> {
    // A pattern without a star also names what is deeper, and all below a folder of that name.
    let patterns = request.exclude_patterns.iter().flat_map(|pattern| {
        let deeper = (!pattern.contains('*')).then(|| [format!("**/{pattern}"), format!("**/{pattern}/**")]);
        [pattern.clone()].into_iter().chain(deeper.into_iter().flatten())
    });
    let excluded = reported(workspace, workspace.patterns_below(&patterns.collect::<Vec<_>>()))?;
    let mut root = Folder::default();
    let (mut num_bytes, mut num_left_out) = (0, 0);
    for (relative, size) in below(workspace, &request.path, Depth::All, budget)? {
        if ways(&relative).any(|way| excluded.admits(way)) {
            continue;
        }
        // About what a line of it takes with its braces and indentation.
        num_bytes += relative.rsplit('/').next().map_or(0, str::len) + 60;
        if num_bytes > super::MAX_LIST_BYTES * 2 {
            num_left_out += 1;
        } else {
            root.add(&relative, size.is_none());
        }
    }
    let shown = serde_json::to_string_pretty(&root.shown()).unwrap_or_default();
    Ok(match num_left_out {
        _ if budget.was_cut() => format!("{shown}\n{TIME_WAS_OVER}"),
        0 => shown,
        _ => {
            format!("{shown}\n[{num_left_out} more files and folders are left out: ask for a folder, or exclude some]")
        }
    })
}

/// Files are known without the disk, and so are the folders of files.
const TIME_WAS_OVER: &str = "[the time was over: some empty folders may be missing. Ask for a folder]";

/// A path and the folders on the way to it, the first folder first.
fn ways(relative: &str) -> impl Iterator<Item = &str> {
    relative.match_indices('/').map(|(end, _)| &relative[..end]).chain([relative])
}

fn find(workspace: &Workspace<'_>, request: &FindRequest, budget: &Budget) -> Result<String, ErrorReport> {
    let wanted = reported(workspace, workspace.patterns_below(std::slice::from_ref(&request.pattern)))?;
    let excluded = reported(workspace, workspace.patterns_below(&request.exclude_patterns))?;
    let prefix = folder_of(workspace, &request.path)?.map(|folder| format!("{folder}/")).unwrap_or_default();
    let mut found: BTreeSet<String> = BTreeSet::new();
    for (relative, _) in below(workspace, &request.path, Depth::All, budget)? {
        if ways(&relative).any(|way| excluded.admits(way)) {
            continue;
        }
        let matching = ways(&relative).filter(|way| wanted.admits(way));
        found.extend(matching.map(|way| format!("{prefix}{way}")));
    }
    let mut lines: Vec<String> = found.into_iter().collect();
    if lines.is_empty() {
        lines.push("No matches found".to_owned());
    }
    if budget.was_cut() {
        lines.push(TIME_WAS_OVER.to_owned());
    }
    Ok(fitting(lines, "use a narrower `pattern`"))
}

/// What the reference server says of a file, as far as it is known.
fn info(workspace: &Workspace<'_>, path: &str) -> Result<String, ErrorReport> {
    let folder = folder_of(workspace, path)?;
    let file = folder.as_ref().map(|path| workspace.entry(path)).transpose();
    let (size, modified, is_folder) = if let Ok(Some(file)) = file {
        (file.size, Some(file.modified), false)
    } else {
        // A folder, or nothing at all.
        let files = reported(workspace, workspace.files_below(folder.as_ref()))?;
        let sizes = files.iter().map(|file| file.size);
        (sizes.sum(), files.iter().map(|file| file.modified).max(), true)
    };
    let modified = modified.map(|modified| format!("modified: {modified}\n")).unwrap_or_default();
    Ok(format!("size: {size}\n{modified}isDirectory: {is_folder}\nisFile: {}", !is_folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_the_reference_server_does() {
        for (num_bytes, wanted) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.00 KB"),
            (1_536, "1.50 KB"),
            (5 * 1024 * 1024, "5.00 MB"),
            (u64::from(u32::MAX) * 1024 * 1024, "4096.00 TB"),
        ] {
            assert_eq!(size_in_words(num_bytes), wanted);
        }
    }

    #[test]
    fn a_tree_has_folders_and_files_by_name() {
        let mut root = Folder::default();
        for (path, is_folder) in
            [("a", true), ("b.md", false), ("a/deep/x.md", false), ("a/deep", true), ("a/y.md", false), ("c", true)]
        {
            root.add(path, is_folder);
        }
        let file = |name| json!({ "name": name, "type": "file" });
        let deep = json!({ "name": "deep", "type": "directory", "children": [file("x.md")] });
        let a = json!({ "name": "a", "type": "directory", "children": [deep, file("y.md")] });
        let c = json!({ "name": "c", "type": "directory", "children": [] });
        assert_eq!(root.shown(), json!([a, file("b.md"), c]));
    }

    #[test]
    fn the_ways_to_a_path_are_its_folders_and_itself() {
        assert_eq!(ways("a/b/c.md").collect::<Vec<_>>(), ["a", "a/b", "a/b/c.md"]);
        assert_eq!(ways("c.md").collect::<Vec<_>>(), ["c.md"]);
    }
}
