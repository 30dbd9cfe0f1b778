//! The syntax tree. Names are resolved: a field of the payload is a [`Node::Member`] of [`Node::Payload`].

use regex::Regex;
use serde_json::Value as Json;

use super::error::Span;
use super::references::References;

/// A parsed source, and what is known about it before any evaluation.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) source: Box<str>,
    pub(super) root: Expr,
    pub(super) references: References,
}

impl PartialEq for Compiled {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

#[derive(Clone, Debug)]
pub(super) struct Expr {
    pub(super) node: Node,
    pub(super) span: Span,
    /// Of the tree below, itself included: recursion over it stays this deep.
    pub(super) depth: usize,
}

/// Where it stood in the source does not matter.
impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

impl Expr {
    pub(super) fn new(node: Node, span: Span) -> Self {
        let mut below = 0;
        node.for_each_child(&mut |child| below = below.max(child.depth));
        Self { node, span, depth: below + 1 }
    }

    /// The `&&` operands of the whole, also those of a conjunction in brackets.
    pub(super) fn conjuncts(&self) -> Vec<&Expr> {
        match &self.node {
            Node::And(items) => items.iter().flat_map(Self::conjuncts).collect(),
            _ => vec![self],
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Literal(Literal),
    List {
        items: Vec<Expr>,
        /// The list itself if all its elements are literals, so that evaluating it does not allocate.
        constant: Option<Box<[Json]>>,
    },
    /// `self`
    Payload,
    Event(EventField),
    Variable(Box<str>),
    /// The element a macro goes over; `up` counts the macros between.
    Bound {
        name: Box<str>,
        up: usize,
    },
    Member {
        base: Box<Expr>,
        field: Box<str>,
    },
    Index {
        base: Box<Expr>,
        index: Box<Expr>,
    },
    Not(Box<Expr>),
    Negate(Box<Expr>),
    /// Two operands or more: a long chain is no deep tree.
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Compare {
        op: CompareOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    In {
        item: Box<Expr>,
        container: Box<Expr>,
    },
    Arithmetic {
        op: ArithmeticOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Conditional {
        condition: Box<Expr>,
        then: Box<Expr>,
        otherwise: Box<Expr>,
    },
    Has(Box<Expr>),
    Convert {
        function: Convert,
        argument: Box<Expr>,
    },
    TextTest {
        function: TextTest,
        text: Box<Expr>,
        argument: Box<Expr>,
    },
    Matches {
        text: Box<Expr>,
        pattern: Box<Expr>,
        /// Compiled if the pattern is a literal.
        regex: Option<Pattern>,
    },
    Macro {
        kind: Macro,
        list: Box<Expr>,
        name: Box<str>,
        body: Box<Expr>,
    },
}

impl Node {
    pub(super) fn for_each_child<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        match self {
            Self::Literal(_)
            | Self::Payload
            | Self::Event(_)
            | Self::Variable(_)
            | Self::Bound { .. } => {}
            Self::List { items, .. } | Self::And(items) | Self::Or(items) => {
                items.iter().for_each(visit);
            }
            Self::Member { base: only, .. }
            | Self::Not(only)
            | Self::Negate(only)
            | Self::Has(only)
            | Self::Convert { argument: only, .. } => visit(only),
            Self::Index { base: first, index: second }
            | Self::Compare { left: first, right: second, .. }
            | Self::In { item: first, container: second }
            | Self::Arithmetic { left: first, right: second, .. }
            | Self::TextTest { text: first, argument: second, .. }
            | Self::Matches { text: first, pattern: second, .. }
            | Self::Macro { list: first, body: second, .. } => {
                visit(first);
                visit(second);
            }
            Self::Conditional { condition, then, otherwise } => {
                visit(condition);
                visit(then);
                visit(otherwise);
            }
        }
    }

    /// A list, with its constant if it has one.
    pub(super) fn list(items: Vec<Expr>) -> Self {
        let constant = items
            .iter()
            .map(|item| match &item.node {
                Self::Literal(literal) => literal.to_json(),
                Self::List { constant, .. } => constant.as_deref().map(std::convert::Into::into),
                _ => None,
            })
            .collect();
        Self::List { items, constant }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Int(i128),
    /// Always finite.
    Float(f64),
    Str(Box<str>),
}

impl Literal {
    /// `None` for an integer of more than 64 bits.
    fn to_json(&self) -> Option<Json> {
        Some(match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Int(value) => serde_json::Number::from_i128(*value)?.into(),
            Self::Float(value) => serde_json::Number::from_f64(*value)?.into(),
            Self::Str(text) => Json::String(text.to_string()),
        })
    }
}

/// A regular expression; equal if its text is.
#[derive(Clone, Debug)]
pub(super) struct Pattern(pub(super) Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

macro_rules! words {
    ($(#[$meta:meta])* $visibility:vis $name:ident { $($variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility enum $name { $($variant,)+ }

        impl $name {
            $visibility const ALL: &[Self] = &[$(Self::$variant,)+];

            /// As it is written.
            $visibility fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            pub(super) fn named(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|candidate| candidate.as_str() == word)
            }
        }
    };
}

words! {
    /// What `event.*` can read.
    pub EventField {
        Name = "name",
        Daemon = "daemon",
        Time = "time",
        Section = "section",
        Seq = "seq",
        Incarnation = "incarnation",
    }
}

impl EventField {
    /// All of them, to be shown.
    pub(super) fn list() -> String {
        let names: Vec<_> = Self::ALL.iter().map(|field| field.as_str()).collect();
        names.join(", ")
    }
}

words! {
    pub(super) CompareOp {
        Eq = "==",
        Ne = "!=",
        Lt = "<",
        Le = "<=",
        Gt = ">",
        Ge = ">=",
    }
}

words! {
    pub(super) ArithmeticOp {
        Add = "+",
        Subtract = "-",
        Multiply = "*",
        Divide = "/",
        Remainder = "%",
    }
}

words! {
    /// Functions of one value.
    pub(super) Convert {
        Size = "size",
        Int = "int",
        Double = "double",
        String = "string",
    }
}

words! {
    pub(super) TextTest {
        StartsWith = "startsWith",
        EndsWith = "endsWith",
        Contains = "contains",
    }
}

words! {
    pub(super) Macro {
        Exists = "exists",
        All = "all",
        Filter = "filter",
        Map = "map",
    }
}
