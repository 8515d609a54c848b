//! `ONBUILD INSTRUCTION`

use super::{Keyword, Node, Request, interpret};
use crate::ast::{Instruction, Spanned};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::heredoc;

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

pub(super) fn parse(request: &mut Request<'_>) -> Option<Onbuild> {
    request.expect_arguments()?;
    let trigger = heredoc::put_back(request.rest.text().to_owned(), &request.heredocs);
    let mut inner = Request::split(request.arguments, request.escape);
    inner.heredocs.clone_from(&request.heredocs);
    request.refuse_flags();
    let message = match Keyword::find(inner.keyword.text()) {
        Some(Keyword::Onbuild) => "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed".to_owned(),
        Some(Keyword::From | Keyword::Maintainer) => {
            format!("{} isn't allowed as an ONBUILD trigger", inner.name())
        }
        _ => {
            let instruction = instruction(&mut inner);
            request.diagnostics.extend(inner.diagnostics.into_iter().map(for_trigger));
            return Some(Onbuild { trigger, instruction });
        }
    };
    request.error(Code::InvalidTrigger, inner.keyword.span(), message);
    None
}

fn instruction(inner: &mut Request<'_>) -> Option<Box<Spanned<Instruction>>> {
    let (keyword, span) = (inner.keyword.literal(), inner.whole.span());
    let text = inner.whole.text().to_owned();
    let Node::Instruction(node) = interpret(inner) else { return None };
    let (comments, empty_continuations) = (Vec::new(), Vec::new());
    Some(Box::new(Spanned { node, span, keyword, text, comments, empty_continuations }))
}

/// What is wrong with the form of a trigger is wrong here; the rest is an error only where it is
/// triggered.
fn for_trigger(diagnostic: Diagnostic) -> Diagnostic {
    let is_form = matches!(diagnostic.code, Code::JsonNotStrings | Code::InvalidKeyValue);
    if is_form || !diagnostic.is_error() {
        return diagnostic;
    }
    let message = format!("this trigger will fail: {}", diagnostic.message);
    Diagnostic { severity: Severity::Warning, message, ..diagnostic }
}
