//! The tree of an HTML text, built as the HTML standard says: end tags may be missing, tables misnested.
//!
//! # Invariants
//! - Nodes lie in one vector and refer to each other by index: no walk and no drop recurses, however deep the markup.
//! - Text is joined with the text right before it, so a run of words is one node.
//!
//! # Not here
//! What elements mean: that is `html`. Document types, quirks, parse errors and the words of comments: nothing reads them.

use std::borrow::Cow;
use std::cell::{Ref, RefCell};

use ego_tree::{NodeId, NodeMut, Tree};
use html5ever::interface::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::{Attribute, ParseOpts, QualName};

/// Why a handle that the parser passes is that of a node.
const IN_TREE: &str = "nodes are never taken out of the vector, and the parser makes no ids";

/// One node of the tree.
pub(in crate::extract) enum Node {
    /// A tag with its attributes.
    Element(Element),
    /// Words between tags, character references resolved.
    Text(StrTendril),
    /// The document, a template's contents, a comment or a processing instruction: no name and no words.
    Other,
}

impl Node {
    /// The element, if the node is one.
    pub(in crate::extract) fn as_element(&self) -> Option<&Element> {
        if let Self::Element(element) = self { Some(element) } else { None }
    }

    /// The words, if the node is text.
    pub(in crate::extract) fn as_text(&self) -> Option<&str> {
        if let Self::Text(words) = self { Some(words) } else { None }
    }
}

/// The name and attributes of a tag.
pub(in crate::extract) struct Element {
    name: QualName,
    attributes: Vec<Attribute>,
}

impl Element {
    /// The name without a namespace, in lower case for HTML.
    pub(in crate::extract) fn name(&self) -> &str {
        &self.name.local
    }

    /// The value of the attribute `name`, empty where it has none; attributes of other namespaces do not count.
    pub(in crate::extract) fn attr(&self, name: &str) -> Option<&str> {
        let attribute = self.attributes.iter().find(|attr| &*attr.name.local == name && attr.name.ns.is_empty())?;
        Some(&attribute.value)
    }
}

/// Builds the tree of a document; any text has one.
pub(in crate::extract) fn parse(source: &str) -> Tree<Node> {
    html5ever::parse_document(Sink(RefCell::new(Tree::new(Node::Other))), ParseOpts::default()).one(source)
}

/// Takes the parser's edits; the parser calls it through a shared reference.
struct Sink(RefCell<Tree<Node>>);

impl Sink {
    fn orphan(&self, node: Node) -> NodeId {
        self.0.borrow_mut().orphan(node).id()
    }

    /// Runs `edit` on the node `id`.
    fn edit<T>(&self, id: NodeId, edit: impl FnOnce(NodeMut<'_, Node>) -> T) -> T {
        edit(self.0.borrow_mut().get_mut(id).expect(IN_TREE))
    }

    fn has_parent(&self, id: NodeId) -> bool {
        self.0.borrow().get(id).expect(IN_TREE).parent().is_some()
    }
}

/// Appends `text` to `neighbour` if that is text; whether it was.
fn is_joined(neighbour: Option<NodeMut<'_, Node>>, text: &StrTendril) -> bool {
    let Some(mut neighbour) = neighbour else { return false };
    let Node::Text(words) = neighbour.value() else { return false };
    words.push_tendril(text);
    true
}

impl TreeSink for Sink {
    type Handle = NodeId;
    type Output = Tree<Node>;
    type ElemName<'a> = Ref<'a, QualName>;

    fn finish(self) -> Tree<Node> {
        self.0.into_inner()
    }

    fn parse_error(&self, _message: Cow<'static, str>) {}

    fn set_quirks_mode(&self, _mode: QuirksMode) {}

    fn append_doctype_to_document(&self, _name: StrTendril, _public_id: StrTendril, _system_id: StrTendril) {}

    fn get_document(&self) -> NodeId {
        self.0.borrow().root().id()
    }

    fn elem_name<'a>(&'a self, target: &'a NodeId) -> Ref<'a, QualName> {
        Ref::map(self.0.borrow(), |tree| match tree.get(*target).expect(IN_TREE).value() {
            Node::Element(element) => &element.name,
            _ => unreachable!("the parser asks only elements for their name"),
        })
    }

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, flags: ElementFlags) -> NodeId {
        let id = self.orphan(Node::Element(Element { name, attributes }));
        if flags.template {
            self.edit(id, |mut template| template.append(Node::Other).id());
        }
        id
    }

    fn create_comment(&self, _text: StrTendril) -> NodeId {
        self.orphan(Node::Other)
    }

    fn create_pi(&self, _target: StrTendril, _data: StrTendril) -> NodeId {
        self.orphan(Node::Other)
    }

    fn get_template_contents(&self, target: &NodeId) -> NodeId {
        let tree = self.0.borrow();
        tree.get(*target).expect(IN_TREE).first_child().expect("a template is made with its contents").id()
    }

    fn same_node(&self, x: &NodeId, y: &NodeId) -> bool {
        x == y
    }

    fn append(&self, parent: &NodeId, child: NodeOrText<NodeId>) {
        self.edit(*parent, |mut parent| match child {
            NodeOrText::AppendNode(id) => {
                parent.append_id(id);
            }
            NodeOrText::AppendText(text) => {
                if !is_joined(parent.last_child(), &text) {
                    parent.append(Node::Text(text));
                }
            }
        });
    }

    fn append_before_sibling(&self, sibling: &NodeId, new_node: NodeOrText<NodeId>) {
        self.edit(*sibling, |mut sibling| match new_node {
            NodeOrText::AppendNode(id) => {
                sibling.insert_id_before(id);
            }
            NodeOrText::AppendText(text) => {
                if !is_joined(sibling.prev_sibling(), &text) {
                    sibling.insert_before(Node::Text(text));
                }
            }
        });
    }

    fn append_based_on_parent_node(&self, element: &NodeId, prev_element: &NodeId, child: NodeOrText<NodeId>) {
        if self.has_parent(*element) {
            self.append_before_sibling(element, child);
        } else {
            self.append(prev_element, child);
        }
    }

    fn add_attrs_if_missing(&self, target: &NodeId, attributes: Vec<Attribute>) {
        self.edit(*target, |mut target| {
            let Node::Element(element) = target.value() else { return };
            for attribute in attributes {
                if !element.attributes.iter().any(|present| present.name == attribute.name) {
                    element.attributes.push(attribute);
                }
            }
        });
    }

    fn remove_from_parent(&self, target: &NodeId) {
        self.edit(*target, |mut target| target.detach());
    }

    fn reparent_children(&self, node: &NodeId, new_parent: &NodeId) {
        self.edit(*new_parent, |mut new_parent| new_parent.reparent_from_id_append(*node));
    }
}

#[cfg(test)]
mod tests {
    use ego_tree::iter::Edge;

    use super::*;

    fn outline(source: &str) -> String {
        let mut outline = String::new();
        for edge in parse(source).root().traverse() {
            match edge {
                Edge::Open(node) => match node.value() {
                    Node::Element(element) => outline.extend(["<", element.name(), ">"]),
                    Node::Text(words) => outline.extend(["'", words, "'"]),
                    Node::Other => outline.push('('),
                },
                Edge::Close(node) => match node.value() {
                    Node::Element(_) => outline.push('/'),
                    Node::Text(_) => {}
                    Node::Other => outline.push(')'),
                },
            }
        }
        outline
    }

    #[test]
    fn what_is_left_out_is_added() {
        assert_eq!(outline(""), "(<html><head>/<body>//)");
        assert_eq!(outline("<!doctype html><p>a &amp; b<p>c"), "(<html><head>/<body><p>'a & b'/<p>'c'///)");
    }

    #[test]
    fn misnested_markup_is_mended() {
        assert_eq!(outline("<b>1<p>2</b>3"), "(<html><head>/<body><b>'1'/<p><b>'2'/'3'///)");
        assert_eq!(
            outline("<table>a<tr>b<td>c</table>"),
            "(<html><head>/<body>'ab'<table><tbody><tr><td>'c'//////)",
            "text in no cell stands joined before its table"
        );
        assert_eq!(
            outline("<table><tr><b>a<td>c</table>"),
            "(<html><head>/<body><b>'a'/<table><tbody><tr><td>'c'//////)"
        );
    }

    #[test]
    fn a_template_keeps_its_contents_apart() {
        assert_eq!(outline("<body>a<!--b--><template>c</template>"), "(<html><head>/<body>'a'()<template>('c')///)");
    }

    #[test]
    fn attributes_are_found_by_name_and_the_first_of_two_counts() {
        let tree = parse("<body ROLE=navigation role=x hidden><body role=y class=z><svg xlink:href=w>");
        let mut elements = tree.root().descendants().filter_map(|node| node.value().as_element());
        let mut find = |name| elements.find(|element| element.name() == name).expect("in the source");
        let body = find("body");
        assert_eq!(
            ["role", "hidden", "class", "id"].map(|name| body.attr(name)),
            [Some("navigation"), Some(""), Some("z"), None]
        );
        assert_eq!(find("svg").attr("href"), None);
    }

    #[test]
    fn depth_costs_no_stack() {
        let count = || parse(&"<div>".repeat(4_000)).root().traverse().count();
        let thread = std::thread::Builder::new().stack_size(128 * 1024).spawn(count).expect("spawned");
        assert_eq!(thread.join().expect("no overflow"), 2 * (1 + 3 + 4_000));
    }
}
