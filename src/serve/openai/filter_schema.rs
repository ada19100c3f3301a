//! Filters as the description of REST has them. `filters.rs` reads them, with errors that name the place.
#![expect(dead_code, reason = "the types describe a request, which is read by hand")]

use serde::Serialize;
use utoipa::ToSchema;

/// A filter on the attributes of files; nested at most 8 deep, with at most 64 comparisons, and 1000 values in all lists.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum AttributeFilter {
    /// Compares a text.
    Text(TextFilter),
    /// Compares a text with several values.
    Texts(TextsFilter),
    /// Compares the type of the file.
    Type(TypeFilter),
    /// Compares the type of the file with several ones.
    Types(TypesFilter),
    /// Compares a number.
    Number(NumberFilter),
    /// Compares a number with several values.
    Numbers(NumbersFilter),
    /// Combines filters.
    Compound(CompoundFilter),
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum TextKey {
    Path,
    Filename,
    /// Each folder above the file, at any depth.
    Folder,
    Language,
    Agent,
    Run,
    Sandbox,
    /// Each tag of the file.
    Tag,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum TypeKey {
    Type,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum NumberKey {
    /// Seconds since 1970.
    Modified,
    /// Bytes.
    Size,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Equality {
    Eq,
    Ne,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Membership {
    In,
    Nin,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Comparison {
    Eq,
    Ne,
    Gt,
    Gte,
    Lt,
    Lte,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Operation {
    And,
    Or,
}

/// Compares a text.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TextFilter {
    r#type: Equality,
    key: TextKey,
    value: String,
}

/// Compares a text with several values.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TextsFilter {
    r#type: Membership,
    key: TextKey,
    #[schema(min_items = 1, max_items = 1_000)]
    value: Vec<String>,
}

/// Compares the type of the file, as `filters.type` of a search takes it.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TypeFilter {
    r#type: Equality,
    key: TypeKey,
    value: String,
}

/// Compares the type of the file with several ones.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TypesFilter {
    r#type: Membership,
    key: TypeKey,
    #[schema(min_items = 1, max_items = 1_000)]
    value: Vec<String>,
}

/// Compares a number.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NumberFilter {
    r#type: Comparison,
    key: NumberKey,
    value: f64,
}

/// Compares a number with several values.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NumbersFilter {
    r#type: Membership,
    key: NumberKey,
    #[schema(min_items = 1, max_items = 1_000)]
    value: Vec<f64>,
}

/// Combines filters.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CompoundFilter {
    r#type: Operation,
    #[schema(no_recursion, min_items = 1, max_items = 64)]
    filters: Vec<AttributeFilter>,
}
