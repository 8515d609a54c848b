//! `LABEL KEY=VALUE …` and the old `LABEL KEY VALUE`

use super::{KeyValue, KeyValueForm, Request};

/// LABEL
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The labels in order.
    pub pairs: Vec<KeyValue>,
    /// How they were written.
    pub form: KeyValueForm,
}

pub(super) fn parse(request: &mut Request<'_>) -> Option<Label> {
    request.refuse_flags();
    let (pairs, form) = request.key_values()?;
    Some(Label { pairs, form })
}
