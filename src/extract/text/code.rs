//! Source code: one block a definition, methods under their class, comments with what they describe.
//!
//! # Invariants
//! - The parser only says where to cut: a file that it does not understand is read by blank lines, and nothing is lost.
//! - Work is bounded without a clock: size, nesting and the parser's steps have limits, and in a reader process its memory.
//!
//! # Not here
//! Which language a file is in: `detect`.

use std::ops::ControlFlow;

use tree_sitter::{Language, Node, ParseOptions, Parser, Tree};

use crate::extract::builder::{Blocks, label};
use crate::extract::child::resident_bytes;
use crate::extract::text::{self, line_end};
use crate::extract::{Block, BlockKind};
use crate::workspace::Span;

/// Larger files are generated or minified; they are read by blank lines.
const MAX_PARSED_BYTES: usize = 2 * 1024 * 1024;
/// The parser reports every hundred steps or so; after this many reports it is stopped. Two megabytes of code take 20,000.
const MAX_PARSER_REPORTS: usize = 60_000;
/// A report while the parser looks for a way out of an error counts as so many: it tries every state and symbol. Code with an
/// error in each of its functions takes 20 such reports in a megabyte, and text that is no code 15,000.
const ERROR_REPORTS: usize = 30;
/// A parser of a reader process is stopped when the process has grown by more than this, and by so many bytes for each of the text.
/// Code takes 10 to 30 of them; `a<a<a<…` took 3,000.
const MAX_GROWTH_BYTES: u64 = 64 * 1024 * 1024;
const MAX_GROWTH_PER_BYTE: u64 = 64;
/// Classes nested deeper than this are not opened.
const MAX_DEPTH: usize = 8;
/// A class up to this size stays whole.
const WHOLE_BYTES: usize = 700;
/// A longer function is divided at the statements of its body.
const LONG_FUNCTION_BYTES: usize = 1500;
/// The size at which a part of a long function is closed.
const PART_BYTES: usize = 700;

/// The grammar of a language that is cut at its definitions.
pub(in crate::extract) fn grammar(language: &str) -> Option<Language> {
    Some(match language {
        "bash" => tree_sitter_bash::LANGUAGE.into(),
        "c" => tree_sitter_c::LANGUAGE.into(),
        "cpp" => tree_sitter_cpp::LANGUAGE.into(),
        "csharp" => tree_sitter_c_sharp::LANGUAGE.into(),
        "go" => tree_sitter_go::LANGUAGE.into(),
        "java" => tree_sitter_java::LANGUAGE.into(),
        "javascript" => tree_sitter_javascript::LANGUAGE.into(),
        "python" => tree_sitter_python::LANGUAGE.into(),
        "ruby" => tree_sitter_ruby::LANGUAGE.into(),
        "rust" => tree_sitter_rust::LANGUAGE.into(),
        "tsx" => tree_sitter_typescript::LANGUAGE_TSX.into(),
        "typescript" => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
        _ => return None,
    })
}

/// The blocks of a source file.
pub(in crate::extract) fn read(text: &str, language: Option<&str>) -> Vec<Block> {
    let Some(tree) = language.and_then(grammar).and_then(|grammar| parse(text, &grammar)) else {
        return text::read(text, BlockKind::Code);
    };
    let mut reader = Reader { text, blocks: Blocks::new(text), labels: Vec::new() };
    reader.region(tree.root_node(), Span::new(0, text.len()));
    reader.blocks.finish()
}

fn parse(text: &str, grammar: &Language) -> Option<Tree> {
    if text.len() > MAX_PARSED_BYTES {
        return None;
    }
    let mut parser = Parser::new();
    parser.set_language(grammar).ok()?;
    let mut num_reports = 0;
    let max_growth = MAX_GROWTH_BYTES + MAX_GROWTH_PER_BYTE * text.len() as u64;
    let most = resident_bytes().map(|resident| resident + max_growth);
    let mut watch = |state: &tree_sitter::ParseState| {
        num_reports += if state.has_error() { ERROR_REPORTS } else { 1 };
        let is_too_large = || most.zip(resident_bytes()).is_some_and(|(most, resident)| resident > most);
        let is_enough = num_reports > MAX_PARSER_REPORTS || is_too_large();
        if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = ParseOptions::new().progress_callback(&mut watch);
    parser.parse_with_options(&mut |at, _| text.as_bytes().get(at..).unwrap_or_default(), None, Some(options))
}

struct Reader<'t> {
    text: &'t str,
    blocks: Blocks<'t>,
    /// The definitions that are open.
    labels: Vec<String>,
}

impl<'t> Reader<'t> {
    /// Appends the blocks of `parent`'s children, and all other text of `span`.
    fn region(&mut self, parent: Node<'t>, span: Span) {
        let mut run_start = span.start;
        let mut previous_end = span.start;
        // Where the comments and attributes begin that stand right above the next child.
        let mut lead: Option<usize> = None;
        let mut cursor = parent.walk();
        for child in parent.named_children(&mut cursor) {
            if child.start_byte() < previous_end {
                continue;
            }
            if has_blank_line(self.text, previous_end, child.start_byte()) {
                self.run(Span::new(run_start, child.start_byte()));
                run_start = child.start_byte();
                lead = None;
            }
            previous_end = child.end_byte();
            if is_lead(child.kind()) {
                lead.get_or_insert(child.start_byte());
                continue;
            }
            let above = lead.take();
            let Some(definition) = definition(child) else { continue };
            let start = above.unwrap_or(child.start_byte());
            self.run(Span::new(run_start, start));
            let end = self.statement_end(child.end_byte(), span.end);
            self.definition(definition, Span::new(start, end));
            run_start = end;
        }
        self.run(Span::new(run_start, span.end));
    }

    /// Appends what stands between definitions; a closing bracket alone goes with what it closes.
    fn run(&mut self, span: Span) {
        let words = span.of(self.text).unwrap_or_default().trim();
        let is_closing = !words.contains(char::is_alphanumeric) || words == "end";
        if is_closing && self.blocks.extend_last(span.end) {
            return;
        }
        if span.len() > WHOLE_BYTES {
            self.blocks.push_paragraphs(BlockKind::Code, span);
        } else {
            self.blocks.push(BlockKind::Code, span);
        }
    }

    fn definition(&mut self, node: Node<'t>, span: Span) {
        let body = body(node);
        match body {
            Some(body) if is_container(node.kind()) && span.len() > WHOLE_BYTES && self.labels.len() < MAX_DEPTH => {
                let has_bracket = self.text.as_bytes().get(body.start_byte()) == Some(&b'{');
                let opener_end = body.start_byte() + usize::from(has_bracket);
                self.blocks.push(BlockKind::Heading, Span::new(span.start, opener_end));
                self.under(node, |reader| reader.region(body, Span::new(opener_end, span.end)));
            }
            Some(body) if span.len() > LONG_FUNCTION_BYTES => self.long_function(node, body, span),
            _ => self.blocks.push(BlockKind::Code, span),
        }
    }

    /// The first part stands where the function stands; the others stand under its name.
    fn long_function(&mut self, node: Node<'t>, body: Node<'t>, span: Span) {
        let mut cuts = Vec::new();
        let mut part_start = span.start;
        let mut cursor = body.walk();
        for statement in body.named_children(&mut cursor) {
            let at = statement.start_byte();
            if at > part_start + PART_BYTES && span.end > at + PART_BYTES / 4 {
                cuts.push(at);
                part_start = at;
            }
        }
        let first_end = cuts.first().copied().unwrap_or(span.end);
        self.blocks.push(BlockKind::Code, Span::new(span.start, first_end));
        self.under(node, |reader| {
            let ends = cuts.iter().skip(1).copied().chain(std::iter::once(span.end));
            for (&start, end) in cuts.iter().zip(ends) {
                reader.blocks.push(BlockKind::Code, Span::new(start, end));
            }
        });
    }

    fn under(&mut self, node: Node<'t>, read: impl FnOnce(&mut Self)) {
        let outer = self.blocks.trail();
        let name = name(node, self.text);
        let is_named = !name.is_empty();
        if is_named {
            self.labels.push(name);
        }
        self.blocks.set_trail(self.labels.as_slice().into());
        read(self);
        if is_named {
            self.labels.pop();
        }
        self.blocks.set_trail(outer);
    }

    /// A semicolon, a comma or a comment on the last line belongs to the definition.
    fn statement_end(&self, end: usize, limit: usize) -> usize {
        let line_end = line_end(self.text, end.min(limit), limit);
        let rest = self.text.get(end..line_end).unwrap_or_default().trim();
        let belongs = rest.trim_start_matches([';', ',']).trim_start();
        if belongs.is_empty() || belongs.starts_with("//") || belongs.starts_with('#') { line_end } else { end }
    }
}

fn has_blank_line(text: &str, start: usize, end: usize) -> bool {
    // Some grammars end a comment after its line break.
    let start = start - usize::from(text[..start].ends_with('\n'));
    text.get(start..end).is_some_and(|between| between.bytes().filter(|&byte| byte == b'\n').count() > 1)
}

/// Comments and attributes belong to what follows them.
fn is_lead(kind: &str) -> bool {
    kind.ends_with("comment") || matches!(kind, "attribute_item" | "decorator" | "attribute_list" | "marker_annotation")
}

/// The definition that `node` is or wraps (`export`, decorators, templates).
fn definition(node: Node<'_>) -> Option<Node<'_>> {
    let mut node = node;
    for _ in 0..4 {
        match node.kind() {
            "export_statement" | "decorated_definition" | "template_declaration" | "ambient_declaration" | "export" => {
                let inner = node.child_by_field_name("declaration").or_else(|| node.child_by_field_name("definition"));
                let last = u32::try_from(node.named_child_count()).ok()?.checked_sub(1)?;
                node = inner.or_else(|| node.named_child(last))?;
            }
            kind if is_container(kind) || is_leaf_definition(kind) => return Some(node),
            _ => return None,
        }
    }
    None
}

fn is_container(kind: &str) -> bool {
    matches!(
        kind,
        "abstract_class_declaration"
            | "class"
            | "class_declaration"
            | "class_definition"
            | "class_specifier"
            | "foreign_mod_item"
            | "impl_item"
            | "interface_declaration"
            | "internal_module"
            | "linkage_specification"
            | "mod_item"
            | "module"
            | "namespace_declaration"
            | "namespace_definition"
            | "record_declaration"
            | "struct_declaration"
            | "trait_item"
    )
}

fn is_leaf_definition(kind: &str) -> bool {
    matches!(
        kind,
        "constructor_declaration"
            | "delegate_declaration"
            | "enum_declaration"
            | "enum_item"
            | "enum_specifier"
            | "function_declaration"
            | "function_definition"
            | "function_item"
            | "generator_function_declaration"
            | "macro_definition"
            | "method"
            | "method_declaration"
            | "method_definition"
            | "property_declaration"
            | "singleton_method"
            | "struct_item"
            | "struct_specifier"
            | "type_alias_declaration"
            | "type_declaration"
            | "type_definition"
            | "type_item"
            | "union_item"
            | "union_specifier"
    )
}

fn body(node: Node<'_>) -> Option<Node<'_>> {
    node.child_by_field_name("body").or_else(|| {
        let mut cursor = node.walk();
        node.named_children(&mut cursor).find(|child| {
            matches!(
                child.kind(),
                "block" | "declaration_list" | "body_statement" | "class_body" | "field_declaration_list"
            )
        })
    })
}

/// How the definition is named in a trail: `impl Engine`, `fn search`, `class Reader`.
fn name(node: Node<'_>, text: &str) -> String {
    let words = |node: Node<'_>| text.get(node.start_byte()..node.end_byte()).unwrap_or_default();
    if node.kind() == "impl_item" {
        let end = body(node).map_or(node.end_byte(), |body| body.start_byte());
        return label(text.get(node.start_byte()..end).unwrap_or_default());
    }
    let mut named = node.child_by_field_name("name");
    // In C the name lies inside pointer and function declarators.
    let mut declarator = node.child_by_field_name("declarator");
    for _ in 0..8 {
        let Some(inner) = declarator.filter(|_| named.is_none()) else { break };
        declarator = inner.child_by_field_name("declarator");
        if declarator.is_none() {
            named = Some(inner);
        }
    }
    let Some(name) = named else { return String::new() };
    label(&format!("{} {}", keyword(node.kind()), words(name)))
}

fn keyword(kind: &str) -> &'static str {
    match kind {
        "function_item" => "fn",
        "mod_item" => "mod",
        "trait_item" => "trait",
        "struct_item" | "struct_specifier" | "struct_declaration" => "struct",
        "enum_item" | "enum_specifier" | "enum_declaration" => "enum",
        "interface_declaration" => "interface",
        "record_declaration" => "record",
        "module" => "module",
        "namespace_declaration" | "namespace_definition" | "internal_module" => "namespace",
        "macro_definition" => "macro",
        "type_item" | "type_declaration" | "type_alias_declaration" | "type_definition" => "type",
        "method" | "method_declaration" | "method_definition" | "singleton_method" => "method",
        kind if kind.contains("class") => "class",
        kind if kind.contains("function") => "function",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(text: &str, language: &str) -> Vec<String> {
        let blocks = read(text, Some(language));
        blocks
            .iter()
            .map(|block| {
                let words = block.span.of(text).expect("in range");
                let first = words.lines().next().unwrap_or_default();
                let last = words.lines().next_back().unwrap_or_default();
                format!("{:?} {}: {first} … {last}", block.kind, block.trail.join(" > "))
            })
            .collect()
    }

    #[test]
    fn methods_stand_under_their_impl_with_their_comments() {
        let body = "        let x = 1;\n".repeat(20);
        let text = format!(
            "//! Module.\n\nuse a::b;\nuse c::d;\n\n/// Searches.\n#[must_use]\nfn one() {{}}\n\nimpl Index for Engine {{\n    \
             /// Finds.\n    fn find(&self) {{\n{body}    }}\n\n    fn get(&self) {{\n{body}    }}\n}}\n"
        );
        assert_eq!(
            described(&text, "rust"),
            [
                "Code : //! Module. … //! Module.",
                "Code : use a::b; … use c::d;",
                "Code : /// Searches. … fn one() {}",
                "Heading : impl Index for Engine { … impl Index for Engine {",
                "Code impl Index for Engine: /// Finds. …     }",
                "Code impl Index for Engine: fn get(&self) { … }",
            ]
        );
    }

    #[test]
    fn a_long_function_is_divided_under_its_own_name() {
        let text = format!("class Runner:\n    def run(self):\n{}", "        call_something(1, 2, 3)\n".repeat(100));
        let described = described(&text, "python");
        assert_eq!(described[0], "Heading : class Runner: … class Runner:");
        assert!(described[1].starts_with("Code class Runner: def run(self):"), "{described:?}");
        assert!(described.len() > 3);
        assert!(described[2..].iter().all(|part| part.starts_with("Code class Runner > function run: call_something")));
    }

    #[test]
    fn every_grammar_loads_and_reads_a_definition() {
        for (language, text) in [
            ("bash", "f() {\n  echo a\n}\n"),
            ("c", "int main(void) { return 0; }\n"),
            ("cpp", "namespace a { class B { int f() { return 1; } }; }\n"),
            ("csharp", "class A { int F() { return 1; } }\n"),
            ("go", "package a\n\nfunc F() int { return 1 }\n"),
            ("java", "class A { int f() { return 1; } }\n"),
            ("javascript", "export function f() { return 1 }\n"),
            ("python", "@x\ndef f():\n    return 1\n"),
            ("ruby", "class A\n  def f\n    1\n  end\nend\n"),
            ("rust", "fn f() -> u8 { 1 }\n"),
            ("tsx", "const a = <b/>\n"),
            ("typescript", "export class A { f(): number { return 1 } }\n"),
        ] {
            let grammar = grammar(language).expect(language);
            assert!(!parse(text, &grammar).expect(language).root_node().has_error(), "{language}");
            assert!(!read(text, Some(language)).is_empty());
        }
    }

    #[test]
    fn an_unknown_language_is_read_by_blank_lines() {
        assert_eq!(described("(defn a\n 1)\n\n(b)\n", "clojure"), ["Code : (defn a …  1)", "Code : (b) … (b)"]);
    }

    #[test]
    fn a_text_that_is_no_code_is_given_up() {
        let text = "a,".repeat(500_000);
        assert!(parse(&text, &grammar("rust").expect("a grammar")).is_none());
    }
}
