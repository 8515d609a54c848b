//! ARG or ENV whose name says that the value is a secret: it stays in the image.

use parser::Span;

use super::{Linter, Rule};

const SECRET: &[&str] =
    &["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"];
const HARMLESS: &[&str] = &["public", "file", "version"];

pub(crate) fn check(linter: &mut Linter, instruction: &str, name: &str, span: Span) {
    let name_in_lower_case = name.to_ascii_lowercase();
    let has_word_of = |list: &[&str]| name_in_lower_case.split('_').any(|word| list.contains(&word));
    if has_word_of(SECRET) && !has_word_of(HARMLESS) {
        let message =
            format!("Do not use ARG or ENV instructions for sensitive data ({instruction} {name:?})");
        let help = "RUN --mount=type=secret gives a value to one step and leaves no trace".to_owned();
        linter.report_with_help(Rule::SecretsUsedInArgOrEnv, span, message, Some(help));
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    #[test]
    fn whole_words_count() {
        let text = "FROM scratch\nARG PASSWORD\nENV API_TOKEN=x KEYBOARD=us\nARG my_secret\nENV PUBLIC_KEY_PATH=/x\n";
        assert_eq!(
            findings(Rule::SecretsUsedInArgOrEnv, text),
            [
                r#"2: Do not use ARG or ENV instructions for sensitive data (ARG "PASSWORD")"#,
                r#"3: Do not use ARG or ENV instructions for sensitive data (ENV "API_TOKEN")"#,
                r#"4: Do not use ARG or ENV instructions for sensitive data (ARG "my_secret")"#,
            ]
        );
    }
}
