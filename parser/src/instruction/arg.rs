//! `ARG NAME[=DEFAULT] …`

use crate::Word;

/// ARG
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg {
    /// The variables that it declares, in order.
    pub definitions: Vec<ArgDefinition>,
}

/// One variable of an ARG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgDefinition {
    /// Its name; `BuildKit` replaces variables here too.
    pub name: Word,
    /// What follows `=`; `None` without `=`.
    pub default: Option<Word>,
}
