//! `SHELL ["PROGRAM", "ARGUMENT", …]`

/// SHELL
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shell {
    /// The shell and its arguments; at least one.
    pub shell: Vec<String>,
}
