//! `# syntax=`: the language that a Dockerfile asks for. There is one, and it is built in.

use std::collections::BTreeMap;

use parser::ast::Directives;

/// The images of this language, in all their versions, and what `BuildKit` calls its built-in one.
const OWN: [&str; 3] = ["docker/dockerfile", "docker/dockerfile-upstream", "dockerfile.v0"];

/// The frontend that the build argument `BUILDKIT_SYNTAX`, or else the file, asks for, if that is another language.
pub(crate) fn foreign<'a>(
    directives: &'a Directives,
    build_args: &'a BTreeMap<String, String>,
) -> Option<&'a str> {
    let directive = directives.syntax.as_ref().map(|directive| directive.value.as_str());
    let asked = build_args.get("BUILDKIT_SYNTAX").map(String::as_str).or(directive)?;
    // What follows the first blank are arguments of the frontend.
    let frontend = asked.split_whitespace().next()?;
    let name = frontend.strip_prefix("docker.io/").unwrap_or(frontend);
    let name = name.split([':', '@']).next().unwrap_or_default();
    (!OWN.contains(&name)).then_some(frontend)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign_in(text: &str, argument: Option<&str>) -> Option<String> {
        let parsed = parser::parse(text);
        let argument = argument.map(|value| ("BUILDKIT_SYNTAX".to_owned(), value.to_owned()));
        foreign(&parsed.dockerfile.directives, &argument.into_iter().collect()).map(str::to_owned)
    }

    #[test]
    fn all_versions_of_the_language_are_built_in() {
        for own in [
            "docker/dockerfile",
            "docker/dockerfile:1-labs",
            "docker.io/docker/dockerfile:1@sha256:0",
            "docker/dockerfile-upstream:master",
            "docker/dockerfile:1 key=value",
        ] {
            assert_eq!(foreign_in(&format!("# syntax={own}\nFROM scratch\n"), None), None, "{own}");
        }
        assert_eq!(foreign_in("FROM scratch\n", None), None);
        assert_eq!(foreign_in("# syntax=example.com/x:1\n", Some("dockerfile.v0")), None);
    }

    #[test]
    fn others_are_told() {
        assert_eq!(foreign_in("# syntax=example.com/x:1\n", None).as_deref(), Some("example.com/x:1"));
        assert_eq!(foreign_in("# syntax=docker/dockerfile\n", Some("x/y z")).as_deref(), Some("x/y"));
    }
}
