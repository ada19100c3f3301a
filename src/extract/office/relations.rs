//! Which parts of an Office Open XML package belong to a part, and its own facts about itself.

use crate::extract::builder::label;
use crate::extract::office::package::Package;
use crate::extract::office::xml_events::{Node, Xml};

/// A link from one part to another.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) id: String,
    /// The last word of its type: `styles`, `slide`.
    pub(super) kind: String,
    /// The name of the other part.
    pub(super) target: String,
}

/// The links of a part inside the package, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Relations(Vec<Relation>);

impl Relations {
    /// The links of `part`; those of the package itself for an empty name.
    pub(super) fn of(package: &mut Package<'_>, part: &str) -> Self {
        let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
        let source = package.xml(&format!("{folder}/_rels/{file}.rels")).unwrap_or_default();
        let mut relations = Vec::new();
        let mut xml = Xml::new(&source);
        while let Some(node) = xml.next() {
            let Node::Open(tag) = node else { continue };
            if tag.name() != "Relationship" || tag.attr("TargetMode").is_some_and(|mode| mode == "External") {
                continue;
            }
            if let (Some(id), Some(kind), Some(target)) = (tag.attr("Id"), tag.attr("Type"), tag.attr("Target")) {
                let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
                relations.push(Relation { id, kind, target: resolved(folder, &target) });
            }
        }
        Self(relations)
    }

    /// Id, kind and part of each link.
    pub(super) fn iter(&self) -> impl Iterator<Item = (String, String, String)> {
        self.0.iter().map(|relation| (relation.id.clone(), relation.kind.clone(), relation.target.clone()))
    }

    /// The part that `id` leads to.
    pub(super) fn target(&self, id: &str) -> Option<&str> {
        self.0.iter().find(|relation| relation.id == id).map(|relation| relation.target.as_str())
    }

    /// The parts of a kind.
    pub(super) fn all(&self, kind: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |relation| relation.kind == kind).map(|relation| relation.target.as_str())
    }

    /// The first part of a kind.
    pub(super) fn first(&self, kind: &str) -> Option<String> {
        self.all(kind).next().map(str::to_owned)
    }
}

/// The part that `target` names, seen from `folder`.
pub(super) fn resolved(folder: &str, target: &str) -> String {
    let target = target.replace('\\', "/");
    let target = target.split(['#', '?']).next().unwrap_or_default();
    let from_root = target.starts_with('/');
    let mut path: Vec<&str> = if from_root { Vec::new() } else { folder.split('/').collect() };
    for step in target.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(path.pop()),
            _ => path.push(step),
        }
    }
    path.retain(|step| !step.is_empty());
    path.join("/")
}

/// The title that the package's core properties give.
pub(super) fn core_title(package: &mut Package<'_>, root: &Relations) -> Option<String> {
    let part = root.first("core-properties").unwrap_or_else(|| "docProps/core.xml".to_owned());
    let source = package.xml(&part)?;
    title_in(&source)
}

/// The words of the first element `title`, where they say something.
pub(super) fn title_in(source: &str) -> Option<String> {
    let mut xml = Xml::new(source);
    while let Some(node) = xml.next() {
        if matches!(&node, Node::Open(tag) if tag.name() == "title") {
            let title = label(&xml.words());
            let says_something = title.chars().any(char::is_alphanumeric);
            return says_something.then_some(title);
        }
    }
    None
}
