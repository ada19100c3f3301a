//! What the styles of a Word document say of its paragraphs: headings and lists.

use std::collections::HashMap;

use crate::extract::office::xml_events::{Node, Tag, Xml};

/// Styles are based on one another at most so deep; more is a circle.
const MAX_BASES: usize = 16;

/// A place in a numbered or bulleted list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ListPlace {
    pub(super) list: Option<String>,
    pub(super) level: Option<usize>,
}

/// What a style or a paragraph says of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct ParagraphLook {
    pub(super) style: Option<String>,
    /// 0 is a first-level heading; 9 and more is running text.
    pub(super) outline_level: Option<usize>,
    pub(super) place: ListPlace,
}

impl ParagraphLook {
    /// Reads an element `pPr` that was just opened, up to its end.
    pub(super) fn read(xml: &mut Xml<'_>) -> Self {
        let mut look = Self::default();
        let outside = xml.depth().saturating_sub(1);
        while xml.depth() > outside {
            match xml.next() {
                Some(Node::Open(tag)) => {
                    // What was before a tracked change of formatting.
                    if matches!(tag.name(), "pPrChange" | "rPr" | "sectPr" | "tabs") {
                        xml.skip();
                    } else {
                        look.take(&tag);
                    }
                }
                Some(_) => {}
                None => break,
            }
        }
        look
    }

    /// Takes what an element inside of `pPr` says.
    pub(super) fn take(&mut self, tag: &Tag<'_>) {
        let number = || tag.attr("val").and_then(|value| value.parse().ok());
        match tag.name() {
            "pStyle" => self.style = tag.attr("val"),
            "outlineLvl" => self.outline_level = number(),
            "ilvl" => self.place.level = number(),
            "numId" => self.place.list = tag.attr("val"),
            // In drawings, the level is an attribute and the bullet an element.
            "pPr" => self.place.level = tag.attr("lvl").and_then(|level| level.parse().ok()),
            "buChar" | "buBlip" => self.place.list = Some("bullet".to_owned()),
            "buAutoNum" => self.place.list = Some("auto".to_owned()),
            "buNone" => self.place.list = Some("none".to_owned()),
            _ => {}
        }
    }
}

#[derive(Debug, Default)]
struct Style {
    name: String,
    base: Option<String>,
    look: ParagraphLook,
}

/// The paragraph styles by their ids.
#[derive(Debug, Default)]
pub(super) struct Styles(HashMap<String, Style>);

/// What a paragraph is by its style and its own look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) is_title: bool,
    /// 1 for a heading of the first level.
    pub(super) heading_level: Option<usize>,
    pub(super) list: Option<String>,
    pub(super) list_level: usize,
    /// The style that the place in a list comes from.
    pub(super) list_style: Option<String>,
}

impl Styles {
    /// Reads the part of styles.
    pub(super) fn read(source: &str) -> Self {
        let mut styles = HashMap::new();
        let mut xml = Xml::new(source);
        while let Some(node) = xml.next() {
            let Node::Open(tag) = node else { continue };
            if tag.name() != "style" || tag.attr("type").is_some_and(|kind| kind != "paragraph") {
                continue;
            }
            let Some(id) = tag.attr("styleId") else { continue };
            let mut style = Style::default();
            let outside = xml.depth().saturating_sub(1);
            while xml.depth() > outside {
                match xml.next() {
                    Some(Node::Open(tag)) => match tag.name() {
                        "name" => style.name = tag.attr("val").unwrap_or_default().to_ascii_lowercase(),
                        "basedOn" => style.base = tag.attr("val"),
                        "pPr" => style.look = ParagraphLook::read(&mut xml),
                        _ => {}
                    },
                    Some(_) => {}
                    None => break,
                }
            }
            styles.insert(id, style);
        }
        Self(styles)
    }

    /// What a paragraph is.
    pub(super) fn role(&self, look: &ParagraphLook) -> Role {
        let mut role = Role { list: look.place.list.clone(), ..Role::default() };
        let mut list_level = look.place.level;
        let mut outline_level = look.outline_level;
        let mut named_level = None;
        let mut id = look.style.clone();
        for _ in 0..MAX_BASES {
            let Some(current) = id.take() else { break };
            let Some(style) = self.0.get(&current) else {
                named_level = named_level.or_else(|| level_of_name(&current));
                break;
            };
            role.is_title |= style.name == "title";
            outline_level = outline_level.or(style.look.outline_level);
            named_level = named_level.or_else(|| level_of_name(&style.name));
            if role.list.is_none() && style.look.place.list.is_some() {
                role.list.clone_from(&style.look.place.list);
                role.list_style = Some(current);
            }
            list_level = list_level.or(style.look.place.level);
            id.clone_from(&style.base);
        }
        let outline_level = outline_level.map(|level| level + 1).or(named_level);
        role.heading_level = outline_level.filter(|level| (1..=9).contains(level));
        role.list_level = list_level.unwrap_or(0).min(8);
        // Number 0 takes a paragraph out of the list of its style.
        role.list = role.list.filter(|list| list != "0");
        role
    }
}

/// 2 for `heading 2` and `Heading2`.
fn level_of_name(name: &str) -> Option<usize> {
    let name = name.to_ascii_lowercase();
    let level: usize = name.strip_prefix("heading")?.trim().parse().ok()?;
    (1..=9).contains(&level).then_some(level)
}
