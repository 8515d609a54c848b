//! `ENV KEY=VALUE …` and the old `ENV KEY VALUE`; LABEL has the same form.

use super::Request;
use crate::Word;

/// ENV
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Env {
    /// The variables in order.
    pub pairs: Vec<KeyValue>,
    /// How they were written.
    pub form: KeyValueForm,
}

/// A key and its value; variables are replaced in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: Word,
    /// The value.
    pub value: Word,
}

/// How ENV or LABEL was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyValueForm {
    /// `KEY=VALUE …`
    Assignments,
    /// `KEY VALUE`: one key, the rest of the line is its value.
    Legacy,
}

pub(super) fn parse(request: &mut Request<'_>) -> Option<Env> {
    request.refuse_flags();
    let (pairs, form) = request.key_values()?;
    Some(Env { pairs, form })
}
