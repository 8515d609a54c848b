//! `EXPOSE 127.0.0.1:80:80`: where a port is published is decided when the image is run.

use parser::Span;

use super::{Linter, Rule};

pub(crate) fn check(linter: &mut Linter, port: &str, span: Span) {
    let message =
        format!("EXPOSE instruction should not define an IP address or host-port mapping, found '{port}'");
    linter.report(Rule::ExposeInvalidFormat, span, message);
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    #[test]
    fn addresses_and_host_ports_are_reported() {
        assert_eq!(
            findings(
                Rule::ExposeInvalidFormat,
                "FROM scratch\nEXPOSE 127.0.0.1:80:80\nEXPOSE 5000:5000\nEXPOSE 90\n"
            ),
            [
                "2: EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:80'",
                "3: EXPOSE instruction should not define an IP address or host-port mapping, found '5000:5000'",
            ]
        );
    }
}
