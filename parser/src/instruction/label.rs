//! `LABEL KEY=VALUE …` and the old `LABEL KEY VALUE`

use super::{KeyValue, KeyValueForm};

/// LABEL
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The labels in order.
    pub pairs: Vec<KeyValue>,
    /// How they were written.
    pub form: KeyValueForm,
}
