//! `FROM [--platform=PLATFORM] BASE [AS NAME]`

use super::Literal;
use crate::Word;

/// FROM
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct From {
    /// An earlier stage, a named context, an image, or `scratch`.
    pub base: Word,
    /// `--platform=`
    pub platform: Option<Word>,
    /// `AS NAME`
    pub name: Option<StageName>,
}

/// The name of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageName {
    /// In lower case, which is how stages are found.
    pub name: String,
    /// As it was written.
    pub written: Literal,
    /// The keyword AS as it was written.
    pub keyword: Literal,
}
