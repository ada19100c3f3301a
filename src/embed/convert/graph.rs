//! An ONNX model, put together node by node and written as the protocol buffer that it is.
//!
//! Only what the conversions need: tensors with raw bytes, nodes with whole numbers and floats as attributes.
//!
//! Source: `onnx/onnx.proto`, IR version 10.

/// The standard operators' version: the first with four-bit integers.
const OPSET: u64 = 21;
const IR_VERSION: u64 = 10;
/// ONNX Runtime's own operators.
const MICROSOFT: &str = "com.microsoft";

/// The type of a tensor's elements, with its number in ONNX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Float = 1,
    Int8 = 3,
    Int64 = 7,
    Int4 = 22,
}

/// What a node is told besides its inputs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Attribute<'a> {
    Int(&'a str, i64),
    Float(&'a str, f32),
    Ints(&'a str, &'a [i64]),
}

/// A length in the shape of an input or an output.
#[derive(Debug, Clone, Copy)]
pub(super) enum Length<'a> {
    Fixed(usize),
    Named(&'a str),
}

/// A graph to which nodes and tensors are added; a node comes after those whose outputs it takes.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Message,
    rest: Message,
}

impl Graph {
    /// Adds a tensor of constants. `bytes` holds its elements as ONNX stores them raw: little-endian, row after row.
    pub(super) fn tensor(&mut self, name: &str, element: Element, shape: &[usize], bytes: &[u8]) {
        let mut tensor = Message::default();
        for length in shape {
            tensor.number(1, *length as u64);
        }
        tensor.number(2, element as u64);
        tensor.text(8, name);
        tensor.bytes(9, bytes);
        self.rest.message(5, &tensor);
    }

    /// Adds a tensor of floats.
    pub(super) fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(name, Element::Float, shape, &bytes);
    }

    /// Adds a list of whole numbers.
    pub(super) fn integers(&mut self, name: &str, values: &[i64]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(name, Element::Int64, &[values.len()], &bytes);
    }

    /// Adds a node of a standard operator.
    pub(super) fn node(&mut self, operator: &str, inputs: &[&str], outputs: &[&str], attributes: &[Attribute]) {
        self.add(operator, "", inputs, outputs, attributes);
    }

    /// Adds a node of one of ONNX Runtime's own operators.
    pub(super) fn own_node(&mut self, operator: &str, inputs: &[&str], outputs: &[&str], attributes: &[Attribute]) {
        self.add(operator, MICROSOFT, inputs, outputs, attributes);
    }

    fn add(&mut self, operator: &str, domain: &str, inputs: &[&str], outputs: &[&str], attributes: &[Attribute]) {
        let mut node = Message::default();
        for input in inputs {
            node.text(1, input);
        }
        for output in outputs {
            node.text(2, output);
        }
        node.text(3, outputs.first().unwrap_or(&operator));
        node.text(4, operator);
        for attribute in attributes {
            let mut message = Message::default();
            let (name, kind) = match attribute {
                Attribute::Float(name, value) => {
                    message.float(2, *value);
                    (name, 1)
                }
                Attribute::Int(name, value) => {
                    message.number(3, value.cast_unsigned());
                    (name, 2)
                }
                Attribute::Ints(name, values) => {
                    for value in *values {
                        message.number(8, value.cast_unsigned());
                    }
                    (name, 7)
                }
            };
            message.text(1, name);
            message.number(20, kind);
            node.message(5, &message);
        }
        if !domain.is_empty() {
            node.text(7, domain);
        }
        self.nodes.message(1, &node);
    }

    /// Declares an input of the model.
    pub(super) fn input(&mut self, name: &str, element: Element, shape: &[Length]) {
        self.rest.message(11, &value(name, element, shape));
    }

    /// Declares an output of the model.
    pub(super) fn output(&mut self, name: &str, element: Element, shape: &[Length]) {
        self.rest.message(12, &value(name, element, shape));
    }

    /// The whole model.
    pub(super) fn into_model(self, name: &str) -> Vec<u8> {
        let mut graph = self.nodes;
        graph.text(2, name);
        graph.0.extend(self.rest.0);
        let mut model = Message::default();
        model.number(1, IR_VERSION);
        model.text(2, "pincite");
        model.message(7, &graph);
        drop(graph);
        for (domain, version) in [("", OPSET), (MICROSOFT, 1)] {
            let mut opset = Message::default();
            opset.text(1, domain);
            opset.number(2, version);
            model.message(8, &opset);
        }
        model.0
    }
}

fn value(name: &str, element: Element, shape: &[Length]) -> Message {
    let mut lengths = Message::default();
    for length in shape {
        let mut message = Message::default();
        match length {
            Length::Fixed(length) => message.number(1, *length as u64),
            Length::Named(name) => message.text(2, name),
        }
        lengths.message(1, &message);
    }
    let mut tensor = Message::default();
    tensor.number(1, element as u64);
    tensor.message(2, &lengths);
    let mut kind = Message::default();
    kind.message(1, &tensor);
    let mut value = Message::default();
    value.text(1, name);
    value.message(2, &kind);
    value
}

/// A message of a protocol buffer, as its bytes.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }

    fn key(&mut self, field: u64, wire_type: u64) {
        self.varint(field << 3 | wire_type);
    }

    fn number(&mut self, field: u64, number: u64) {
        self.key(field, 0);
        self.varint(number);
    }

    fn float(&mut self, field: u64, number: f32) {
        self.key(field, 5);
        self.0.extend(number.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: u64, message: &Self) {
        self.bytes(field, &message.0);
    }
}
