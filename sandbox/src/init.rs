//! The helper's side.

/// First argument of a re-executed helper.
pub(crate) const HELPER_ARGUMENT: &str = "__sandbox";

/// First call in `main`: where this process was re-executed as the helper, it never returns.
pub fn init() {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == HELPER_ARGUMENT) {
        std::process::abort();
    }
}
