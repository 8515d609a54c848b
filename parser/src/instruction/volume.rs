//! `VOLUME PATH …`

use super::ArgumentForm;
use crate::Word;

/// VOLUME
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// The paths; one word each.
    pub paths: Vec<Word>,
    /// Words or a JSON array.
    pub form: ArgumentForm,
}
