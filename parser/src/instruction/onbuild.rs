//! `ONBUILD INSTRUCTION`

use crate::ast::{Instruction, Spanned};

/// ONBUILD
#[derive(Clone, Debug)]
pub struct Onbuild {
    /// The instruction as text, here-documents included: what is stored in the image.
    pub trigger: String,
    /// The same parsed; `None` where it does not parse, which is an error only in the build that is
    /// triggered.
    pub instruction: Option<Box<Spanned<Instruction>>>,
}

impl PartialEq for Onbuild {
    fn eq(&self, other: &Self) -> bool {
        self.trigger == other.trigger
    }
}

impl Eq for Onbuild {}
