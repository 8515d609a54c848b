//! `EXPOSE 80/TCP`.

use parser::Span;

use super::{Linter, Rule};

pub(crate) fn check(linter: &mut Linter, port: &str, protocol: &str, span: Span) {
    if protocol != protocol.to_lowercase() {
        let message = format!("Defined protocol '{port}' in EXPOSE instruction should be lowercase");
        linter.report(Rule::ExposeProtoCasing, span, message);
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    #[test]
    fn capitals_are_reported() {
        assert_eq!(
            findings(Rule::ExposeProtoCasing, "FROM scratch\nEXPOSE 80/TCP 81/tcp\n"),
            ["2: Defined protocol '80/TCP' in EXPOSE instruction should be lowercase"]
        );
    }
}
