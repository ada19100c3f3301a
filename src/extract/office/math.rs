//! Equations of Office as a line: `(a+b)/(2c)`, `x^2`, `√(x)`.

use super::frames::Frames;
use crate::extract::office::xml_events::Tag;

/// A longer part is not put in parentheses: that moves what stands in it.
const MAX_GROUP_BYTES: usize = 400;

/// What ends with an element of an equation.
enum Part {
    /// Nothing.
    Plain,
    /// A part that begins at this byte of the line, in parentheses where it has more than one sign.
    Group(usize),
    /// A part that its own sign ends.
    Delimited(String),
    /// An argument, with a space before the next.
    Spaced,
}

/// The parts of an equation that are open.
#[derive(Default)]
pub(super) struct Math {
    open: Vec<Part>,
}

impl Math {
    /// Whether an equation is open.
    pub(super) const fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Begins an equation.
    pub(super) fn begin(&mut self) {
        self.open.push(Part::Plain);
    }

    /// Opens an element; `None` where it is no part of equations, `Some(false)` where it is not read.
    pub(super) fn open(&mut self, tag: &Tag<'_>, frames: &mut Frames) -> Option<bool> {
        let name = tag.name();
        let mut push = |words: &str| -> usize {
            frames.line().map_or(0, |line| {
                while matches!(words, "^" | "_" | "/") && line.ends_with(' ') {
                    line.pop();
                }
                line.push_str(words);
                line.len()
            })
        };
        let part = match name {
            "ctrlPr" | "rPr" | "groupChrPr" | "accPr" | "barPr" => return Some(false),
            "num" | "deg" => Part::Group(push("")),
            "den" => Part::Group(push("/")),
            "sup" | "lim" => Part::Group(push("^")),
            "sub" => Part::Group(push("_")),
            "rad" => {
                push("√");
                Part::Plain
            }
            "d" => {
                push("(");
                Part::Delimited(")".to_owned())
            }
            "begChr" | "endChr" => {
                let sign = tag.attr("val").unwrap_or_default();
                if name == "endChr" {
                    if let Some(Part::Delimited(end)) =
                        self.open.iter_mut().rev().find(|part| matches!(part, Part::Delimited(_)))
                    {
                        end.clone_from(&sign);
                    }
                } else if let Some(line) = frames.line()
                    && line.ends_with('(')
                {
                    line.pop();
                    line.push_str(&sign);
                }
                Part::Plain
            }
            "nary" => {
                push("∫");
                Part::Plain
            }
            "chr" => {
                let sign = tag.attr("val").unwrap_or_default();
                if let Some(line) = frames.line()
                    && line.ends_with('∫')
                {
                    line.pop();
                    line.push_str(&sign);
                }
                Part::Plain
            }
            "fName" | "mr" | "e" => Part::Spaced,
            "f" | "dPr" | "oMath" | "oMathPara" | "r" | "fPr" | "radPr" | "naryPr" | "sSup" | "sSub" | "sSubSup"
            | "func" | "m" | "mPr" | "eqArr" | "box" | "acc" | "bar" | "groupChr" | "limLow" | "limUpp" => Part::Plain,
            _ => return None,
        };
        self.open.push(part);
        Some(true)
    }

    /// Closes what was opened last.
    pub(super) fn close(&mut self, frames: &mut Frames) {
        let part = self.open.pop();
        let Some(line) = frames.line() else { return };
        match part {
            Some(Part::Group(start)) => {
                let group = line.get(start..).unwrap_or_default();
                if group.chars().take(2).count() > 1 && group.len() <= MAX_GROUP_BYTES {
                    line.insert(start, '(');
                    line.push(')');
                }
            }
            Some(Part::Delimited(end)) => {
                while line.ends_with(' ') {
                    line.pop();
                }
                line.push_str(&end);
            }
            Some(Part::Spaced) if !line.ends_with([' ', '(']) => line.push(' '),
            _ => {}
        }
    }
}
