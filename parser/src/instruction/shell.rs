//! `SHELL ["PROGRAM", "ARGUMENT", …]`

use super::Request;
use super::request::Arguments;
use crate::diagnostic::{Code, Diagnostic};

/// SHELL
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shell {
    /// The shell and its arguments; at least one.
    pub shell: Vec<String>,
}

pub(super) fn parse(request: &mut Request<'_>) -> Option<Shell> {
    request.refuse_flags();
    match request.command_arguments(request.arguments)? {
        Arguments::Json(shell) if !shell.is_empty() => Some(Shell { shell }),
        Arguments::Text(text) if !text.is_empty() => {
            let message = "SHELL requires the arguments to be in JSON form";
            let error = Diagnostic::error(Code::JsonRequired, request.arguments.span(), message);
            request.diagnostics.push(error.with_help("for example SHELL [\"/bin/bash\", \"-c\"]"));
            None
        }
        _ => {
            request.wrong_count("requires at least one argument");
            None
        }
    }
}
